import type { SweepResult, SweptMessage } from '../../core/driver.ts';
import type { MemoryQueue } from './queue.ts';
import { type MessageRecord, toLeasedMessage } from './record.ts';
import type { MemoryStore } from './store.ts';

const SWEEPER_ID = '#sweeper';
const SWEEPER_LEASE_MS = 30_000;

type Swept = SweepResult['messages'][number];

/** Leases what expired to the sweeper, promotes what is due, forgets what is over. */
export function sweep(store: MemoryStore, max: number): SweepResult {
  const now = store.clock.now();
  const messages: Swept[] = [];
  for (const queue of store.queues()) {
    queue.deduplication.forget(now);
    queue.rates.forget(now);
    if (queue.promoteDue(now)) store.notifier.notify(queue.number, 'ready');
    sweepQueue(store, queue, now, max, messages);
  }
  return { messages, nextIn: nextIn(store, now) };
}

function sweepQueue(
  store: MemoryStore,
  queue: MemoryQueue,
  now: number,
  max: number,
  messages: Swept[],
): void {
  while (messages.length < max) {
    const ended = queue.nextLeaseEnded(now);
    const record = ended ?? queue.nextExpired(now);
    if (record === undefined) return;
    const cause = ended === undefined ? 'expired' : (ended.lease?.cause ?? 'lease-expired');
    messages.push(leaseToSweeper(store, record, now, cause));
  }
}

function leaseToSweeper(
  store: MemoryStore,
  record: MessageRecord,
  now: number,
  cause: SweptMessage['cause'],
): Swept {
  const token = store.nextToken();
  const until = now + SWEEPER_LEASE_MS;
  record.queue.lease(record, { consumerId: SWEEPER_ID, token, until, cause });
  return { ...toLeasedMessage(record), cause, queue: record.queue.number };
}

function nextIn(store: MemoryStore, now: number): number | null {
  let next = Infinity;
  for (const queue of store.queues()) next = Math.min(next, queue.nextDue());
  return next === Infinity ? null : Math.max(0, next - now);
}
