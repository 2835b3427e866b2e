import { type MessageQueueError, MessageQueueSystem } from '../../../src/index.ts';
import { type Job, say, told } from './parent.ts';

/**
 * Leases a message, acknowledges it late, and receives again: `hold PATH LEASE_MS HOW`.
 * HOW 'idle': acknowledges when told, and what the system does by itself at a lease's end may come
 * first. HOW 'busy': works until the lease is over, and then acknowledges before anything else.
 */
export const hold: Job = async (path, [lease = '', how = '']) => {
  const leaseDuration = Number(lease);
  const mq = await MessageQueueSystem.open({ storage: path, queues: [{ name: 'work' }] });
  await mq.sendMessage('work', { payload: 1 });
  const held = await mq.receiveMessage('work', 'holder', { leaseDuration });
  const end = performance.now() + leaseDuration;
  say('leased', { id: held!.id });
  if (how === 'busy') while (performance.now() <= end);
  else await told();
  const code = await held!.acknowledge().then(
    () => 'none',
    (error: MessageQueueError) => error.code,
  );
  say('acknowledging', { code });
  const again = await mq.receiveMessage('work', 'holder', { waitMs: '10s' });
  say('received', { id: again!.id, deliveryCount: again!.deliveryCount });
  await again!.acknowledge();
  await mq.close();
  say('closed');
};
