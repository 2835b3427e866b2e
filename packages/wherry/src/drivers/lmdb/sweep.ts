import { NEVER, type SweepResult, type SweptMessage } from '../../core/driver.ts';
import { forgetSent, nextForgotten } from './deduplication.ts';
import { type Item, toLeasedMessage } from './item.ts';
import { keepLast } from './keep-last.ts';
import { get32, get48, number48Key } from './keys.ts';
import { createLease, type Lease } from './leases.ts';
import { nextDue, promoteDue } from './promotion.ts';
import type { QueueState } from './queue-state.ts';
import type { StoredRecord } from './record.ts';
import { locate, readRecord, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';

const SWEEPER_ID = '#sweeper';
const SWEEPER_LEASE_MS = 30_000;
/** Most deduplication records that one sweep drops. */
const FORGOTTEN_MAX = 5_000;

type Swept = SweepResult['messages'][number];

/** Leases what expired to the sweeper, promotes what is due, forgets old deduplication records. */
export function sweep(store: LmdbStore, max: number): SweepResult {
  const now = store.now();
  const messages: Swept[] = [];
  forgetSent(store, now, FORGOTTEN_MAX);
  for (const queue of store.queues.values()) if (!queue.deleted) promoteDue(store, queue, now);
  sweepLeases(store, now, max, messages);
  sweepExpired(store, now, max, messages);
  return { messages, nextIn: nextIn(store) };
}

/** @returns milliseconds until a sweep has something to do; null: never */
export function nextIn(store: LmdbStore): number | null {
  const now = store.now();
  let next = Math.min(store.leases.nextEnd(), store.expiries.next(now), nextForgotten(store));
  for (const queue of store.queues.values()) {
    if (queue.deleted || queue.scheduled === 0) continue;
    if (queue.nextDue <= now) queue.nextDue = nextDue(store, queue, 0);
    next = Math.min(next, queue.nextDue);
  }
  return next >= NEVER ? null : Math.max(0, next - now);
}

function sweepLeases(store: LmdbStore, now: number, max: number, messages: Swept[]): void {
  while (messages.length < max) {
    const lease = store.leases.nextEnded(now);
    if (lease === undefined) return;
    const record = readRecord(store, lease.queue, lease);
    if (record === undefined || record === null) {
      store.leases.end(lease);
      store.markChanged(lease.mark);
      if (record === null) setAside(store, lease.queue, lease);
      continue;
    }
    const cause = lease.cause ?? 'lease-expired';
    const until = now + SWEEPER_LEASE_MS;
    const token = store.nextToken();
    store.leases.change(lease, { consumerId: SWEEPER_ID, token, until, cause });
    messages.push(toSwept(lease, record, cause));
  }
}

function sweepExpired(store: LmdbStore, now: number, max: number, messages: Swept[]): void {
  const { expiries, tables } = store;
  if (expiries.next(now) > now) return;
  const orphans: Uint8Array[] = [];
  const end = Buffer.alloc(16);
  end.set(number48Key(now + 1));
  for (const key of tables.expiry.getKeys({ start: expiries.start, end, snapshot: false })) {
    if (messages.length >= max) break;
    const bytes = key;
    const queue = store.queues.get(get32(bytes, 6));
    const sequence = get48(bytes, 10);
    if (queue === undefined || queue.deleted) {
      expiries.pass(bytes);
      continue;
    }
    if (!queue.leases.has(sequence)) {
      const found = locate(store, queue, sequence);
      if (found === undefined || found.item.expiry !== get48(bytes, 0)) orphans.push(bytes);
      else messages.push(leaseExpired(store, queue, found.item, found.record, now));
    }
    expiries.pass(bytes);
  }
  for (const key of orphans) tables.expiry.removeSync(key);
}

/** It was not handed out to a consumer, so no mark says that it was. */
function leaseExpired(
  store: LmdbStore,
  queue: QueueState,
  item: Item,
  record: StoredRecord,
  now: number,
): Swept {
  if (record.isReplaceable) keepLast(store, queue, record, item.sequence);
  const lease = createLease(queue, record, item.sequence, item.space, item.due, {
    mark: null,
    consumerId: SWEEPER_ID,
    token: store.nextToken(),
    until: now + SWEEPER_LEASE_MS,
    cause: 'expired',
  });
  store.leases.add(lease);
  return toSwept(lease, record, 'expired');
}

function toSwept(lease: Lease, record: StoredRecord, cause: SweptMessage['cause']): Swept {
  const message = toLeasedMessage(lease.queue, record, lease);
  return { ...message, cause, queue: lease.queue.number };
}
