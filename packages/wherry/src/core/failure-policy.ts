import { backoffDelay } from './backoff.ts';
import { type Mortal, routeDead } from './dead-letter-route.ts';
import type { StoredMessage } from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { type Limits, show } from './limits.ts';
import type { DeathReason, NewDeath } from './message.ts';
import { RETRIES_MAX } from './queue-settings.ts';
import type { Queue } from './queue.ts';
import type { Topology } from './topology.ts';

/** What went wrong with a delivery. */
export type Failure =
  /** The handler failed. `delay`: its own wish instead of the back-off. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly delay?: Duration | undefined }
  /** The handler says it can never succeed. */
  | { readonly kind: 'rejected'; readonly error: unknown }
  /** Damaged, undecodable, or not what the queue's schema allows. */
  | { readonly kind: 'invalid'; readonly error: unknown }
  /** Its holder did not settle it in time, or died. */
  | { readonly kind: 'lease-expired' }
  /** It stood at the head of a queue that was full. */
  | { readonly kind: 'overflow' }
  /** It was given back more often than its queue allows. */
  | { readonly kind: 'delivery-limit' }
  /** Its time to live passed. */
  | { readonly kind: 'expired' };

/** What becomes of the message. */
export type Decision =
  | {
      readonly action: 'retry';
      readonly delay: number;
      readonly error: string | undefined;
      /** Its holder may have died of it: it is handed out alone (G6). */
      readonly suspect: boolean;
    }
  /** To each of these; to none: it is gone. */
  | { readonly action: 'move'; readonly to: readonly string[]; readonly death: NewDeath }
  /** It stays where it is, out of reach of consumers, until a person decides. */
  | { readonly action: 'park'; readonly death: NewDeath }
  | { readonly action: 'drop' };

/** Decides what becomes of messages that were not acknowledged. Pure but for the topology's look-ups. */
export class FailurePolicy {
  readonly #topology: Topology;
  readonly #limits: Limits;
  readonly #random: () => number;
  readonly #systemDeadLetterQueue: string;

  constructor(
    topology: Topology,
    limits: Limits,
    systemDeadLetterQueue: string,
    random: () => number,
  ) {
    this.#topology = topology;
    this.#limits = limits;
    this.#systemDeadLetterQueue = systemDeadLetterQueue;
    this.#random = random;
  }

  decide(queue: Queue, message: StoredMessage, failure: Failure): Decision {
    if (failure.kind === 'failed' || failure.kind === 'lease-expired') {
      const maxRetries = message.properties?.maxRetries ?? queue.settings.maxRetries;
      if (message.retryCount < maxRetries) return this.#retry(queue, message, failure);
    }
    return this.bury(queue, message, this.#death(queue, failure));
  }

  /** Where a dead message of a queue goes. */
  bury(queue: Queue, message: Mortal, death: NewDeath): Exclude<Decision, { action: 'retry' }> {
    const { deadLetterQueue, deadLetterExchange, discardDeadLetters } = queue.settings;
    // Nobody has seen what cannot be read: it is not thrown away before somebody does.
    const isUnseen = death.reason === 'invalid';
    if (deadLetterExchange !== null) {
      const routed = routeDead(this.#topology, queue, message, death);
      if (routed.to.length > 0 || !isUnseen) return { action: 'move', ...routed };
    }
    const isUnwanted = death.reason === 'expired' || (discardDeadLetters && !isUnseen);
    if (deadLetterQueue === null && isUnwanted) return { action: 'drop' };
    const to = this.#deadLetterQueueOf(queue);
    return to === null ? { action: 'park', death } : { action: 'move', to: [to], death };
  }

  /**
   * The queue's own dead-letter queue, else the system's; null when it is a dead-letter queue itself
   * and names no further one.
   */
  #deadLetterQueueOf(queue: Queue): string | null {
    const own = queue.settings.deadLetterQueue;
    if (own !== null && this.#topology.findQueue(own) !== undefined) return own;
    const system = this.#systemDeadLetterQueue;
    if (queue.name === system || this.#topology.isDeadLetterQueue(queue.name)) return null;
    return system;
  }

  #retry(
    queue: Queue,
    message: StoredMessage,
    failure: Extract<Failure, { kind: 'failed' | 'lease-expired' }>,
  ): Decision {
    // After a lease that ran out, waiting its length again would only be slow.
    if (failure.kind === 'lease-expired') {
      // Where deliveries do not run out, none of its neighbours can lose by it.
      const suspect = queue.settings.maxRetries < RETRIES_MAX;
      return { action: 'retry', delay: 0, error: undefined, suspect };
    }
    const delay =
      failure.delay === undefined
        ? backoffDelay(queue.settings.backoff, message.retryCount, this.#random())
        : durationToMs(failure.delay, 'the retry delay');
    return { action: 'retry', delay, error: this.#describe(failure.error).error, suspect: false };
  }

  #death(queue: Queue, failure: Failure): NewDeath {
    const isUsedUp = failure.kind === 'failed' || failure.kind === 'delivery-limit';
    const reason: DeathReason = isUsedUp ? 'max-retries' : failure.kind;
    const described = 'error' in failure ? this.#describe(failure.error) : {};
    return { queue: queue.name, reason, ...described };
  }

  #describe(error: unknown): { error?: string; stack?: string } {
    const { errorLength, stackLength } = this.#limits;
    if (error instanceof Error) {
      return {
        error: trim(error.message, errorLength),
        ...(typeof error.stack === 'string' ? { stack: trim(error.stack, stackLength) } : {}),
      };
    }
    if (error === undefined) return {};
    return { error: trim(typeof error === 'string' ? error : show(error), errorLength) };
  }
}

function trim(text: string, length: number): string {
  const trimmed = text.length <= length ? text : `${text.slice(0, length - 1)}…`;
  return trimmed.toWellFormed();
}
