import type { Driver } from '../../core/driver.ts';
import { StorageError } from '../../core/errors.ts';
import { type AnswerOf, type Call, CALLS, type CallName, type RequestOf } from './wire/calls.ts';

/** A call whose caller waits. */
export class Outstanding<Name extends CallName = CallName> {
  readonly name: Name;
  readonly request: RequestOf<Name>;
  /** When it began, by the monotonic clock. */
  readonly since: number;
  /** Which data frame of the session it is; 0: it was not sent in this session. */
  frame = 0;
  /** It may have been carried out before, by a host that is gone. */
  isRepeated = false;
  /** Nobody waits any more. */
  isAbandoned = false;
  readonly #resolve: (answer: AnswerOf<Name>) => void;
  readonly reject: (error: unknown) => void;

  constructor(
    name: Name,
    request: RequestOf<Name>,
    since: number,
    resolve: (answer: AnswerOf<Name>) => void,
    reject: (error: unknown) => void,
  ) {
    this.name = name;
    this.request = request;
    this.since = since;
    this.#resolve = resolve;
    this.reject = reject;
  }

  /** The table's row; what it is given and answers fits this call's name. */
  get call(): Call<RequestOf<Name>, AnswerOf<Name>> {
    return CALLS[this.name] as unknown as Call<RequestOf<Name>, AnswerOf<Name>>;
  }

  /** A second time does no harm. */
  get isRepeatable(): boolean {
    const { repetition, isOnceOnly } = this.call;
    return repetition !== 'never' && isOnceOnly?.(this.request) !== true;
  }

  answer(answer: AnswerOf<Name>): void {
    if (!this.isRepeated) this.#resolve(answer);
    else if (this.call.repetition === 'by-id') this.#resolve(withOwnStored(this, answer));
    else if (this.call.repetition === 'by-lease' && hasLost(answer)) this.reject(unknownOutcome());
    else this.#resolve(answer);
  }

  /** Carries it out here. */
  runOn(driver: Driver): void {
    this.call.run(driver, this.request).then(
      (answer) => this.answer(answer),
      (error: unknown) => this.reject(error),
    );
  }
}

/** A message that was found by its id was stored by the first attempt. */
function withOwnStored<Name extends CallName>(
  { request }: Outstanding<Name>,
  answer: AnswerOf<Name>,
): AnswerOf<Name> {
  const { items } = request as RequestOf<'publish'>;
  const outcomes = (answer as AnswerOf<'publish'>).map((outcome, i) => {
    const isOwn = outcome.status === 'duplicate' && outcome.id === items[i]?.message.id;
    return isOwn ? { ...outcome, status: 'stored' as const } : outcome;
  });
  return outcomes as unknown as AnswerOf<Name>;
}

/** Of a settlement: lease indexes, or outcomes of moves. */
function hasLost(answer: unknown): boolean {
  return (answer as readonly (number | { readonly status: string })[]).some(
    (one) => typeof one === 'number' || one.status === 'lost',
  );
}

/** The call may have been carried out, or not. */
export function unknownOutcome(cause?: unknown): StorageError {
  return new StorageError(
    'The broker was lost before it answered: whether the call took effect is not known. Make it ' +
      'again where that does no harm; a deduplicationId makes sure that a send counts once.',
    { code: 'STORAGE_CONNECTION', retriable: true, cause },
  );
}
