import type { Driver, QueueRef, StoredMessage } from '../driver.ts';
import type { MessageState } from '../message.ts';

/** Where a message stands in its queue: higher priority first, then by sequence. */
export type Place = Pick<StoredMessage, 'id' | 'priority' | 'sequence' | 'groupId'>;

/** A message that waits for its time, or is in somebody's hands. */
export interface Scheduled extends Place {
  /** Its group waits for it, so that there may be others that nobody shows yet. */
  readonly holdsGroup: boolean;
}

const PAGE = 500;

/** @returns below zero when `a` stands before `b` */
export function byPlace(a: Place, b: Place): number {
  return b.priority - a.priority || a.sequence - b.sequence;
}

/** Whether it was in somebody's hands before. */
export function wasTried({ retryCount, deliveryCount, lease }: StoredMessage): boolean {
  return retryCount > 0 || deliveryCount > (lease === null ? 0 : 1);
}

/** Page after page of the messages in one state. */
export async function* browseAll(
  driver: Driver,
  queue: QueueRef,
  state: MessageState,
  limit: number = PAGE,
): AsyncGenerator<readonly StoredMessage[]> {
  let cursor: string | undefined;
  do {
    const page = await driver.browse({ queue, state, limit, cursor });
    cursor = page.cursor ?? undefined;
    if (page.messages.length > 0) yield page.messages;
  } while (cursor !== undefined);
}

/** All messages in one state by their place, without their bodies: there may be many. */
export async function listPlaces(
  driver: Driver,
  queue: QueueRef,
  state: 'scheduled' | 'leased',
): Promise<Scheduled[]> {
  const places: Scheduled[] = [];
  for await (const messages of browseAll(driver, queue, state)) {
    for (const message of messages) {
      const { id, priority, sequence, groupId } = message;
      const holdsGroup = groupId !== null && wasTried(message);
      places.push({ id, priority, sequence, groupId, holdsGroup });
    }
  }
  return places.toSorted(byPlace);
}
