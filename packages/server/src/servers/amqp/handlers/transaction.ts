import { MessageQueueError, type NewMessage } from 'wherry';
import type { ChannelState } from '../messages/channel-state.ts';
import { PendingTransaction } from '../messages/pending-transaction.ts';
import { preconditionFailed } from '../definitions/refuse.ts';
import { reasonToDie, withTime } from '../messages/storing.ts';
import { giveAllBack, settled } from '../messages/unacknowledged.ts';
import { returnMessage } from './publish.ts';

/** tx.select @throws AmqpError 406 */
export function selectTransactions(channel: ChannelState): void {
  if (channel.confirms !== null) throw preconditionFailed('cannot switch from confirm to tx mode');
  channel.transaction ??= new PendingTransaction(channel.host);
  channel.host.writer.method(channel.number, 'tx.select-ok');
  channel.host.flush();
}

/**
 * tx.commit: all that was published is stored, or nothing; then what was settled is.
 * @throws AmqpError 406, and nothing has happened
 */
export async function commit(channel: ChannelState): Promise<void> {
  const transaction = transactionOf(channel);
  const { publishes, returns, settlements } = transaction;
  const { host, number } = channel;
  channel.transaction = new PendingTransaction(host);
  const { port } = host.vhost;
  const dying: { queue: string; message: NewMessage; reason: 'expired' | 'overflow' }[] = [];
  const items = publishes.map(({ queues, message }) => ({
    queues: queues.filter((queue) => {
      // What has been deleted since takes its messages with it.
      if (port.findQueue(queue) === undefined) return false;
      const reason = reasonToDie(channel, queue, message);
      if (reason !== null) dying.push({ queue, message, reason });
      return reason === null;
    }),
    message: withTime(message),
  }));
  try {
    await port.publishAtomic(items);
  } catch (error) {
    // Not settled: it goes back with the channel, which the error closes.
    restore(channel, settlements);
    // The channel has closed meanwhile, and what it had in hand has gone back.
    if (channel.isClosed) await giveAllBack(channel);
    if (error instanceof MessageQueueError) {
      host.broker.telemetry.countError(error);
      throw preconditionFailed(`the transaction was not committed: ${error.message}`);
    }
    throw error;
  } finally {
    transaction.end();
  }
  for (const { queue, message, reason } of dying) {
    port.bury(queue, message, reason, host.vhost.feeds.settled);
  }
  await Promise.all(settlements.map(({ delivery, as }) => settled(channel, delivery, as)));
  if (channel.isClosed) return;
  for (const content of returns) returnMessage(channel, content);
  host.writer.method(number, 'tx.commit-ok');
  host.flush();
}

/** tx.rollback: what was settled is in the client's hand again. @throws AmqpError 406 */
export function rollBack(channel: ChannelState): void {
  const transaction = transactionOf(channel);
  restore(channel, transaction.settlements);
  transaction.end();
  channel.transaction = new PendingTransaction(channel.host);
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
