import type { Clock } from '../../core/clock.ts';
import type { QueueRef, Receipt } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { Journal } from './journal.ts';
import { MemoryNotifier } from './notifier.ts';
import { MemoryQueue } from './queue.ts';
import type { MessageRecord } from './record.ts';

/** Everything the driver holds: queues, messages by id, and what is handed out in sequence. */
export class MemoryStore {
  readonly clock: Clock;
  readonly notifier: MemoryNotifier = new MemoryNotifier();
  readonly journal: Journal = new Journal();
  readonly messages: Map<string, MessageRecord> = new Map();
  readonly #queues = new Map<number, MemoryQueue>();
  readonly #deleted = new Set<number>();
  readonly #salt: number;
  #lastToken = 0;

  constructor(clock: Clock, salt: number) {
    this.clock = clock;
    this.#salt = salt;
  }

  nextToken(): number {
    this.#lastToken += 1;
    return this.#lastToken;
  }

  queues(): IterableIterator<MemoryQueue> {
    return this.#queues.values();
  }

  /** @returns the queue, made when it is new here; undefined when it was deleted */
  find(ref: QueueRef): MemoryQueue | undefined {
    const present = this.#queues.get(ref.number);
    if (present !== undefined || this.#deleted.has(ref.number)) return present;
    const queue = new MemoryQueue(ref.number, ref.name, this.#salt, this.journal);
    this.#queues.set(ref.number, queue);
    return queue;
  }

  /** @throws QueueNotFoundError when it was deleted */
  queue(ref: QueueRef): MemoryQueue {
    const queue = this.find(ref);
    if (queue === undefined) throw new QueueNotFoundError(ref.name);
    return queue;
  }

  /** @returns the message whose present lease the receipt proves, or undefined (G4) */
  held(receipt: Receipt, now: number): MessageRecord | undefined {
    const record = this.messages.get(receipt.id);
    if (record === undefined || record.queue.number !== receipt.queue.number) return undefined;
    const { lease } = record;
    return lease !== null && lease.token === receipt.token && lease.until > now
      ? record
      : undefined;
  }

  /** new -> ready or scheduled. @param ref the record's queue */
  insert(record: MessageRecord, ref: QueueRef, now: number): void {
    this.messages.set(record.id, record);
    this.journal.note(() => this.messages.delete(record.id));
    record.queue.add(record, ref.groupMaxInFlight, now);
    if (record.state === 'ready') this.notifier.notify(record.queue.number, 'ready');
  }

  /** any state -> gone: there is room, and others may go that it held back. @param ref its queue */
  remove(record: MessageRecord, ref: QueueRef, now: number): void {
    const { queue } = record;
    this.messages.delete(record.id);
    this.journal.note(() => this.messages.set(record.id, record));
    const heldOthers = record.groupId !== null || record.suspect || ref.maxInFlight !== Infinity;
    queue.remove(record, ref.groupMaxInFlight, now);
    this.notifier.notify(queue.number, 'room');
    if (heldOthers && queue.hasReady) this.notifier.notify(queue.number, 'ready');
  }

  /** @returns how many messages went with the queue */
  deleteQueue(queue: MemoryQueue): number {
    const { size } = queue;
    for (const record of queue.stored()) this.messages.delete(record.id);
    this.#queues.delete(queue.number);
    this.#deleted.add(queue.number);
    return size;
  }

  clear(): void {
    this.messages.clear();
    this.#queues.clear();
  }
}
