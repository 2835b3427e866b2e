import type { AmqpContent, NewMessage } from 'wherry';
import type { OpenDelivery } from './channel-state.ts';
import type { ChannelHost } from '../contracts.ts';
import { memoryOf } from '../connection/publish-budget.ts';
import { preconditionFailed } from '../definitions/refuse.ts';

/** What the transactions of a connection may keep in memory until they are committed. */
const BYTES_MAX = 128 * 1024 * 1024;

/** What is done with a message that the client had in hand. */
export type Settlement = 'acknowledge' | 'reject' | 'requeue';

export interface RoutedMessage {
  readonly queues: readonly string[];
  readonly message: NewMessage;
}

export interface PendingPublish extends RoutedMessage {
  /** Routes it once more: another broker may have just made its queue; null: none can have. */
  readonly again: (() => RoutedMessage) | null;
  /** What its publisher gets back when it reaches no queue; null: it is not mandatory. */
  readonly returned: AmqpContent | null;
}

/** What a client has published and settled in a transaction; nothing of it has happened. */
export class PendingTransaction {
  readonly publishes: PendingPublish[] = [];
  readonly settlements: { readonly delivery: OpenDelivery; readonly as: Settlement }[] = [];
  readonly #host: Pick<ChannelHost, 'reserve' | 'transactionBytes'>;
  #bytes = 0;

  constructor(host: Pick<ChannelHost, 'reserve' | 'transactionBytes'>) {
    this.#host = host;
  }

  /** @throws AmqpError 406 */
  publish(pending: PendingPublish): void {
    const bytes = memoryOf(pending.message);
    if (this.#host.transactionBytes + bytes > BYTES_MAX) {
      throw preconditionFailed(
        `the transactions of a connection have more than ${BYTES_MAX} bytes of messages; ` +
          'commit more often',
      );
    }
    this.publishes.push(pending);
    this.#count(bytes);
  }

  /** It was committed, or rolled back, or nobody can do either any more. */
  end(): void {
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#host.transactionBytes += bytes;
    this.#host.reserve(bytes);
  }
}
