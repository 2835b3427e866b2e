import { parseMessageId } from '../../core/message-id.ts';
import { SCHEDULED, toStoredMessage } from './item.ts';
import { get32, get48, idKey } from './keys.ts';
import type { MessageState } from '../../core/message.ts';
import type { StoredMessage } from '../../core/driver.ts';
import type { Lease } from './leases.ts';
import type { QueueState } from './queue-state.ts';
import { locate, type Located } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { read } from './tables.ts';

export interface Found extends Located {
  readonly queue: QueueState;
}

const ID_PATTERN = /^[0-9a-f]{32}$/;

/** @returns the stored message with this id, or null */
export function findById(store: LmdbStore, id: string): Found | null {
  if (!ID_PATTERN.test(id)) return null;
  const parts = parseMessageId(id, store.facts.salt);
  const told = parts && findAt(store, id, parts.queueNumber, parts.sequence);
  if (told !== null) return told;
  const place = read(store.tables.ids, idKey(id));
  return place === undefined ? null : findAt(store, id, get32(place, 0), get48(place, 4));
}

function findAt(store: LmdbStore, id: string, number: number, sequence: number): Found | null {
  const queue = store.queues.get(number);
  if (queue === undefined || queue.deleted) return null;
  const found = locate(store, queue, sequence);
  return found === undefined || found.item.id !== id ? null : { queue, ...found };
}

export function leaseOn({ queue, item }: Found): Lease | null {
  return queue.leases.get(item.sequence) ?? null;
}

/** @returns what callers see of a stored message, whatever its state */
export function toStored(found: Found): StoredMessage {
  const { queue, item, record } = found;
  const lease = leaseOn(found);
  const state: MessageState =
    lease !== null ? 'leased' : item.space === SCHEDULED ? 'scheduled' : 'ready';
  return toStoredMessage(queue, record, item.sequence, state, lease);
}
