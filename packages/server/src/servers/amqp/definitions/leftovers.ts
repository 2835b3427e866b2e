import type { BrokerPort, MessageQueueSystem } from 'wherry';
import { exchangeTraits } from './exchange-traits.ts';
import { queueTraits } from './queue-traits.ts';
import { isNotFound } from './refuse.ts';

/** So many queues are deleted at once. */
const AT_ONCE = 256;

/**
 * Deletes what does not survive the end of a broker that was alone on its store.
 * @throws StorageError
 */
export async function removeTransient(mq: MessageQueueSystem, port: BrokerPort): Promise<void> {
  const queues = port.queues().filter((queue) => {
    const { durable, exclusive } = queueTraits(queue);
    return !durable || exclusive;
  });
  for (let i = 0; i < queues.length; i += AT_ONCE) {
    const batch = queues.slice(i, i + AT_ONCE);
    await Promise.all(batch.map(({ name }) => unlessGone(mq.deleteQueue(name, { force: true }))));
  }
  const exchanges = port.exchanges().filter((exchange) => !exchangeTraits(exchange).durable);
  for (const { name } of exchanges) await unlessGone(mq.deleteExchange(name));
}

/** @returns the exclusive queues of brokers that are gone @param lives says which are not */
export function orphanedQueues(
  port: BrokerPort,
  lives: (instance: string) => boolean,
): readonly string[] {
  const orphans = port.queues().filter((queue) => {
    const { owner } = queueTraits(queue);
    return owner !== null && !lives(brokerOf(owner));
  });
  return orphans.map(({ name }) => name);
}

/** @param owner a connection, `INSTANCE/ID`, or a broker's own mailbox, `NAME.INSTANCE` */
function brokerOf(owner: string): string {
  const end = owner.indexOf('/');
  return end < 0 ? owner.slice(owner.lastIndexOf('.') + 1) : owner.slice(0, end);
}

async function unlessGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
