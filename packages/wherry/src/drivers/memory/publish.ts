import type {
  Evicted,
  NewMessage,
  PublishItem,
  PublishOutcome,
  QueueRef,
} from '../../core/driver.ts';
import type { Death } from '../../core/message.ts';
import type { MemoryQueue } from './queue.ts';
import {
  copyBody,
  createRecord,
  frozenDeaths,
  frozenProperties,
  type MessageRecord,
} from './record.ts';
import { expiryAt, RoomPlan } from './room.ts';
import type { MemoryStore } from './store.ts';

const NO_DEATHS: readonly Death[] = Object.freeze([]);

type Refusal = Extract<PublishOutcome, { status: 'full' | 'missing' }>;

function isRefusal(outcome: PublishOutcome): outcome is Refusal {
  return outcome.status === 'full' || outcome.status === 'missing';
}

/** Each item by itself: one that is refused does not fail the others (G13). */
export function publishEach(store: MemoryStore, items: readonly PublishItem[]): PublishOutcome[] {
  return items.map((item) => publishAll(store, [item])[0]!);
}

/** All items or none: if one is refused, the others answer as it does. */
export function publishAll(store: MemoryStore, items: readonly PublishItem[]): PublishOutcome[] {
  const plan = new PublishPlan(store);
  const outcomes: PublishOutcome[] = [];
  for (const item of items) {
    const outcome = plan.add(item);
    if (isRefusal(outcome)) {
      plan.abort();
      return items.map(() => outcome);
    }
    outcomes.push(outcome);
  }
  plan.commit();
  return outcomes;
}

/** A deduplicationId that will be remembered once the plan is carried out. */
interface Sent {
  readonly queue: MemoryQueue;
  readonly deduplicationId: string;
  readonly id: string;
  readonly until: number;
}

/** Decides about items, each in sight of those before it, and then stores them all or none. */
class PublishPlan {
  readonly #store: MemoryStore;
  readonly #now: number;
  readonly #room: RoomPlan;
  readonly #records = new Map<string, MessageRecord>();
  readonly #sent = new Map<string, Sent>();

  constructor(store: MemoryStore) {
    this.#store = store;
    this.#now = store.clock.now();
    this.#room = new RoomPlan(store, this.#now);
  }

  add({ targets, message }: PublishItem): PublishOutcome {
    const missing = targets.find((target) => this.#store.find(target) === undefined);
    if (missing !== undefined) return { status: 'missing', queue: missing.name };
    if (message.id !== undefined && this.#isStored(message.id)) {
      return { status: 'duplicate', id: message.id };
    }
    const evicted: Evicted[] = [];
    const ids: string[] = [];
    let firstStored: string | null = null;
    for (const target of targets) {
      const known = this.#sentBefore(target, message);
      if (known !== undefined) {
        ids.push(known);
        continue;
      }
      const limit = this.#room.reserve(target, message.bytes, evicted);
      if (limit !== null) return { status: 'full', queue: target.name, limit };
      const record = this.#createRecord(target, message, firstStored);
      firstStored ??= record.id;
      ids.push(record.id);
    }
    return {
      status: firstStored === null ? 'duplicate' : 'stored',
      id: ids[0]!,
      ...(ids.length > 1 && { ids }),
      ...(evicted.length > 0 && { evicted }),
    };
  }

  commit(): void {
    this.#room.commit();
    for (const record of this.#records.values()) this.#store.insert(record, this.#now);
    for (const { queue, deduplicationId, id, until } of this.#sent.values()) {
      queue.deduplication.remember(deduplicationId, id, until);
    }
  }

  abort(): void {
    this.#room.abort();
  }

  #isStored(id: string): boolean {
    return this.#store.messages.has(id) || this.#records.has(id);
  }

  #sentBefore(target: QueueRef, { deduplicationId }: NewMessage): string | undefined {
    if (deduplicationId === null || target.deduplicationWindow <= 0) return undefined;
    const { deduplication } = this.#store.queue(target);
    return (
      deduplication.find(deduplicationId, this.#now) ??
      this.#sent.get(sentKey(target, deduplicationId))?.id
    );
  }

  /** @param publishId the first copy's id; null: this is the first */
  #createRecord(target: QueueRef, message: NewMessage, publishId: string | null): MessageRecord {
    const now = this.#now;
    const queue = this.#store.queue(target);
    const sequence = queue.nextSequence();
    const created = queue.createId(now, sequence);
    const id = publishId === null ? (message.id ?? created) : created;
    const availableAt = Math.max(now, message.deliverAt ?? now + message.delay);
    const { deduplicationId } = message;
    const record = createRecord({
      id,
      publishId: publishId ?? id,
      queue,
      sequence,
      encoding: message.encoding,
      body: copyBody(message.body),
      bytes: message.bytes,
      properties: frozenProperties(message.properties),
      priority: message.priority,
      groupId: message.groupId,
      deduplicationId,
      timestamp: now,
      availableAt,
      expiresAt: expiryAt(availableAt, message.ttl, target),
      deaths: message.deaths === undefined ? NO_DEATHS : frozenDeaths(message.deaths),
    });
    this.#records.set(id, record);
    if (deduplicationId !== null && target.deduplicationWindow > 0) {
      const until = now + target.deduplicationWindow;
      this.#sent.set(sentKey(target, deduplicationId), { queue, deduplicationId, id, until });
    }
    return record;
  }
}

function sentKey(target: QueueRef, deduplicationId: string): string {
  return `${target.number}:${deduplicationId}`;
}
