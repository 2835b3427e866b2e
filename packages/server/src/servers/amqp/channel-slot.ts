import { AmqpError } from '../../protocols/amqp/errors.ts';
import { FRAME, type Frame } from '../../protocols/amqp/frames.ts';
import {
  decodeMethod,
  hasContent,
  type Method,
  type MethodArguments,
  methodIds,
  type MethodName,
} from '../../protocols/amqp/methods.ts';
import type { ContentOrder } from './content-order.ts';
import type { ChannelEnd, ChannelInfo } from './contracts.ts';

/** What a channel's slot asks of its connection. */
export interface SlotOwner {
  send<Name extends MethodName>(
    channel: number,
    name: Name,
    args: Partial<MethodArguments[Name]>,
  ): void;
  /** Counts what waits for what came before it on its channel. */
  waiting(frames: number, bytes: number): void;
  /** A publish has begun. */
  publishing(): void;
  /** The number is free again. @param left what came for it behind that */
  closed(channel: number, left: readonly Frame[]): void;
  /** The connection cannot go on. */
  failed(error: unknown): void;
}

export interface SlotParts {
  readonly number: number;
  readonly end: ChannelEnd;
  readonly order: ContentOrder;
  readonly owner: SlotOwner;
}

/** Content comes only behind this one: whatever else has content goes to clients. */
const PUBLISH = 'basic.publish';
const CONNECTION_CLASS = methodIds('connection.open').classId;
const PUBLISH_CLASS = methodIds(PUBLISH).classId;

/**
 * A channel as its connection has it: what has come for it is worked on in order, each frame when
 * the one before is done, and it is closed in good order by either side.
 */
export class ChannelSlot {
  readonly #parts: SlotParts;
  readonly #waiting: Frame[] = [];
  #isBusy = false;
  #ending: Promise<void> | null = null;
  /** We have closed it, and wait until the client knows; 'ended': nothing is of interest. */
  #state: 'open' | 'closing' | 'ended' = 'open';
  /** Of the method, or the content, that is being worked on. */
  #current: MethodName = PUBLISH;

  constructor(parts: SlotParts) {
    this.#parts = parts;
  }

  describe(): ChannelInfo {
    return this.#parts.end.describe();
  }

  receive(frame: Frame): void {
    // What waits is being worked on when it calls in here: nothing may overtake it.
    if (this.#isBusy || this.#waiting.length > 0) {
      this.#waiting.push(frame);
      this.#parts.owner.waiting(1, frame.payload.length);
      return;
    }
    this.#handle(frame);
  }

  /** Closes it, and tells the client why. */
  fail(error: AmqpError): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    const { number, order, owner } = this.#parts;
    order.reset();
    owner.send(number, 'channel.close', {
      replyCode: error.code,
      replyText: error.message,
      ...(error.method ?? { classId: 0, methodId: 0 }),
    });
    void this.#endChannel();
  }

  /** Its connection has ended. */
  async end(): Promise<void> {
    this.#state = 'ended';
    this.#forget();
    await this.#endChannel();
  }

  /** Once, whoever asks for it first. */
  #endChannel(): Promise<void> {
    this.#ending ??= this.#parts.end.close();
    return this.#ending;
  }

  #handle(frame: Frame): void {
    if (this.#state === 'ended') return;
    try {
      const pending = this.#process(frame);
      if (pending instanceof Promise) this.#waitFor(pending);
    } catch (error) {
      this.#failed(error);
    }
  }

  #waitFor(pending: Promise<void>): void {
    this.#isBusy = true;
    const current = this.#current;
    const proceed = (): void => {
      this.#isBusy = false;
      while (!this.#isBusy && this.#waiting.length > 0) {
        const frame = this.#waiting.shift()!;
        this.#handle(frame);
        this.#parts.owner.waiting(-1, -frame.payload.length);
      }
    };
    pending.then(proceed, (error: unknown) => {
      this.#current = current;
      this.#failed(error);
      proceed();
    });
  }

  #failed(error: unknown): void {
    if (this.#state !== 'open') return;
    const told =
      error instanceof AmqpError && error.method === undefined
        ? withMethod(error, this.#current)
        : error;
    if (told instanceof AmqpError && told.scope === 'channel') this.fail(told);
    else this.#parts.owner.failed(told);
  }

  #process({ type, payload }: Frame): void | Promise<void> {
    if (type === FRAME.method) return this.#method(decodeMethod(payload));
    if (this.#state !== 'open') return undefined;
    const { end, order } = this.#parts;
    this.#current = PUBLISH;
    if (type === FRAME.header) {
      order.header(payload);
      return end.header(payload);
    }
    order.body(payload);
    return end.body(payload);
  }

  #method(method: Method): void | Promise<void> {
    const { number, end, order, owner } = this.#parts;
    const { name } = method;
    if (name === 'channel.close-ok') {
      // Late, when the client has closed it at the same time.
      if (this.#state === 'closing') this.#finish();
      return undefined;
    }
    if (name === 'channel.close') return this.#closedByClient();
    if (this.#state === 'closing') return undefined;
    this.#current = name;
    if (name === PUBLISH) {
      order.method(PUBLISH_CLASS);
      owner.publishing();
      return end.method(method);
    }
    order.method(null);
    switch (name) {
      case 'channel.open':
        throw new AmqpError('channel-error', "second 'channel.open' seen");
      case 'channel.flow': {
        const { active } = method.args;
        end.flow?.(active);
        owner.send(number, 'channel.flow-ok', { active });
        return undefined;
      }
      case 'channel.flow-ok':
        return undefined;
      case 'access.request':
        // It has done nothing since AMQP 0-8; there are clients that ask, and wait.
        owner.send(number, 'access.request-ok', { ticket: 1 });
        return undefined;
      default:
        if (hasContent(name)) {
          throw new AmqpError('command-invalid', `${name} is not for clients to send`);
        }
        if (methodIds(name).classId === CONNECTION_CLASS) {
          throw new AmqpError('command-invalid', `${name} belongs on channel 0, not on ${number}`);
        }
        return end.method(method);
    }
  }

  /** It has an answer even when we have closed it, too: ours will have one as well. */
  #closedByClient(): void | Promise<void> {
    const { number, owner } = this.#parts;
    const finish = (): void => {
      owner.send(number, 'channel.close-ok', {});
      this.#finish();
    };
    if (this.#state === 'closing') return finish();
    this.#state = 'ended';
    return this.#endChannel().then(finish);
  }

  #finish(): void {
    this.#state = 'ended';
    this.#parts.owner.closed(this.#parts.number, this.#forget());
  }

  /** @returns what has waited */
  #forget(): Frame[] {
    const left = this.#waiting.splice(0);
    const bytes = left.reduce((sum, { payload }) => sum + payload.length, 0);
    this.#parts.owner.waiting(-left.length, -bytes);
    this.#parts.order.reset();
    return left;
  }
}

/** The same error, of the method that it came from. */
function withMethod(error: AmqpError, name: MethodName): AmqpError {
  const { reply, explanation, scope } = error;
  return new AmqpError(reply, explanation, { scope, method: methodIds(name), cause: error });
}
