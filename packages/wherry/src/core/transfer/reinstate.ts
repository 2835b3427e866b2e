import type { Driver, QueueRef, StoredMessage } from '../driver.ts';
import { parseLabel } from './batch-label.ts';
import { type Held, putBack, releaseAll } from './held.ts';
import { wasTried } from './places.ts';

const CONSUMER = '#transfer/reinstate/0';

/**
 * Whether a message needs more at the target than a new message can say: it is parked; or it is in
 * back-off and its group waits for it, which it would not do for a mere delay.
 * @param now by the store that it comes from
 */
export function needsReinstating(message: StoredMessage, now: number): boolean {
  if (message.parked !== null) return true;
  return message.groupId !== null && message.availableAt > now && wasTried(message);
}

/**
 * Gives messages that came to the target the state that they have at the source. Those that are in
 * somebody's hands there, or gone, are past it.
 * @param now by the source
 * @param leaseDuration milliseconds that the target keeps them for a run that is killed here
 */
export async function reinstate(
  driver: Driver,
  queue: QueueRef,
  messages: readonly StoredMessage[],
  now: number,
  leaseDuration: number,
): Promise<void> {
  if (messages.length === 0) return;
  const { messages: taken } = await driver.take({
    queue,
    consumerId: CONSUMER,
    max: messages.length,
    leaseDuration,
    bound: false,
    perGroup: messages.length,
    ids: messages.map(({ id }) => id),
  });
  const leases = new Map(taken.map(({ id, lease }) => [id, lease]));
  const items = [];
  for (const message of messages) {
    const lease = leases.get(message.id) ?? (await leaseOfKilled(driver, queue, message.id));
    if (lease !== null) items.push(putBack({ ...message, lease }, queue, now));
  }
  await releaseAll(driver, items);
}

/** A run that was killed between taking and releasing it left it in nobody's hands. */
async function leaseOfKilled(
  driver: Driver,
  queue: QueueRef,
  id: string,
): Promise<Held['lease'] | null> {
  const stored = await driver.get(id);
  const lease = stored?.queueName === queue.name ? stored.lease : null;
  return lease !== null && parseLabel(lease.consumerId) !== null ? lease : null;
}
