import { type AmqpContent, MessageQueueError, type NewMessage } from 'wherry';
import type { ChannelState } from '../messages/channel-state.ts';
import type { ChannelHost } from '../contracts.ts';
import { type PendingPublish, PendingTransaction } from '../messages/pending-transaction.ts';
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
  const { settlements } = transaction;
  const { host, number } = channel;
  channel.transaction = new PendingTransaction(host);
  let returns: readonly AmqpContent[];
  try {
    returns = await publishAll(channel, transaction.publishes);
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
  await Promise.all(settlements.map(({ delivery, as }) => settled(channel, delivery, as)));
  if (channel.isClosed) return;
  for (const content of returns) returnMessage(channel, content);
  host.writer.method(number, 'tx.commit-ok');
  host.flush();
}

/**
 * Stores all of them or none.
 * @returns what reached no queue and is given back
 * @throws AmqpError, MessageQueueError
 */
async function publishAll(
  channel: ChannelState,
  pending: readonly PendingPublish[],
): Promise<readonly AmqpContent[]> {
  const { feeds, port } = channel.host.vhost;
  const publishes = await routedAgain(channel.host, pending);
  const isThere = (queue: string): boolean => port.findQueue(queue) !== undefined;
  const dying: { queue: string; message: NewMessage; reason: 'expired' | 'overflow' }[] = [];
  const items = publishes.map(({ queues, message }) => ({
    queues: queues.filter((queue) => {
      // What has been deleted since takes its messages with it.
      if (!isThere(queue)) return false;
      const reason = reasonToDie(channel, queue, message);
      if (reason !== null) dying.push({ queue, message, reason });
      return reason === null;
    }),
    message: withTime(message),
  }));
  const unreached = publishes.filter(({ queues }) => !queues.some(isThere));
  await port.publishAtomic(items);
  for (const { queue, message, reason } of dying) port.bury(queue, message, reason, feeds.settled);
  return unreached.flatMap(({ returned }) => returned ?? []);
}

/** What reached no queue may reach one by now that another broker has made. @throws StorageError */
async function routedAgain(
  { vhost }: ChannelHost,
  publishes: readonly PendingPublish[],
): Promise<readonly PendingPublish[]> {
  if (publishes.every(({ again }) => again === null)) return publishes;
  await vhost.late.know(() => false);
  return publishes.map((pending) => ({ ...pending, ...pending.again?.() }));
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
