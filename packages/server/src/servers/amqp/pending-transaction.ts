import type { AmqpContent, NewMessage } from 'wherry';
import type { OpenDelivery } from './channel-state.ts';
import { preconditionFailed } from './refuse.ts';

/** What a transaction may keep in memory until it is committed. */
const BYTES_MAX = 128 * 1024 * 1024;
/** What a message takes beside its bytes, about. */
const MESSAGE_OVERHEAD = 512;

/** What is done with a message that the client had in hand. */
export type Settlement = 'acknowledge' | 'reject' | 'requeue';

export interface PendingPublish {
  readonly queues: readonly string[];
  readonly message: NewMessage;
}

/** What a client has published and settled in a transaction; nothing of it has happened. */
export class PendingTransaction {
  readonly publishes: PendingPublish[] = [];
  /** What nobody gets, and is returned with the commit. */
  readonly returns: AmqpContent[] = [];
  readonly settlements: { readonly delivery: OpenDelivery; readonly as: Settlement }[] = [];
  #bytes = 0;

  /** @throws AmqpError 406 */
  publish(queues: readonly string[], message: NewMessage): void {
    this.#bytes += message.bytes + MESSAGE_OVERHEAD;
    if (this.#bytes > BYTES_MAX) {
      throw preconditionFailed(
        `a transaction has more than ${BYTES_MAX} bytes of messages; commit more often`,
      );
    }
    this.publishes.push({ queues, message });
  }
}
