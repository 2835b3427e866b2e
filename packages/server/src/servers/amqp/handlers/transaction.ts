import { MessageQueueError } from 'wherry';
import type { ChannelState } from '../channel-state.ts';
import { PendingTransaction } from '../pending-transaction.ts';
import { preconditionFailed } from '../refuse.ts';
import { settled } from '../unacknowledged.ts';
import { returnMessage } from './publish.ts';

/** tx.select @throws AmqpError 406 */
export function selectTransactions(channel: ChannelState): void {
  if (channel.confirms !== null) throw preconditionFailed('cannot switch from confirm to tx mode');
  channel.transaction ??= new PendingTransaction();
  channel.host.writer.method(channel.number, 'tx.select-ok');
  channel.host.flush();
}

/**
 * tx.commit: all that was published is stored, or nothing; then what was settled is.
 * @throws AmqpError 406, and nothing has happened
 */
export async function commit(channel: ChannelState): Promise<void> {
  const { publishes, returns, settlements } = transactionOf(channel);
  const { host, number } = channel;
  channel.transaction = new PendingTransaction();
  const { port } = host.vhost;
  // What has been deleted since takes its messages with it.
  const items = publishes.map(({ queues, message }) => ({
    queues: queues.filter((queue) => port.findQueue(queue) !== undefined),
    message,
  }));
  try {
    await port.publishAtomic(items);
  } catch (error) {
    // Not settled: it goes back with the channel.
    restore(channel, settlements);
    if (error instanceof MessageQueueError) {
      host.broker.telemetry.countError(error);
      throw preconditionFailed(`the transaction was not committed: ${error.message}`);
    }
    throw error;
  }
  await Promise.all(settlements.map(({ delivery, as }) => settled(channel, delivery, as)));
  if (channel.isClosed) return;
  for (const content of returns) returnMessage(channel, content);
  host.writer.method(number, 'tx.commit-ok');
  host.flush();
}

/** tx.rollback: what was settled is in the client's hand again. @throws AmqpError 406 */
export function rollBack(channel: ChannelState): void {
  restore(channel, transactionOf(channel).settlements);
  channel.transaction = new PendingTransaction();
  channel.host.writer.method(channel.number, 'tx.rollback-ok');
  channel.host.flush();
}

/** What a transaction has settled is in the client's hand again, in its place. */
export function restore(
  { unacknowledged }: ChannelState,
  settlements: PendingTransaction['settlements'],
): void {
  const all = [...unacknowledged.values(), ...settlements.map(({ delivery }) => delivery)];
  unacknowledged.clear();
  for (const delivery of all.toSorted((a, b) => a.tag - b.tag)) {
    unacknowledged.set(delivery.tag, delivery);
  }
}

/** @throws AmqpError 406 */
function transactionOf({ transaction }: ChannelState): PendingTransaction {
  if (transaction === null) throw preconditionFailed('channel is not transactional');
  return transaction;
}
