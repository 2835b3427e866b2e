import type { BrowsePage, BrowseRequest, StoredMessage } from '../../core/driver.ts';
import { GROUP, SCHEDULED, toStoredMessage } from './item.ts';
import {
  get48,
  messageKeyMaker,
  orderOf,
  placeKeyMaker,
  priorityOf,
  scheduledKeyMaker,
  SEQUENCE_LIMIT,
  sequenceOf,
} from './keys.ts';
import { toStored } from './lookup.ts';
import type { QueueState } from './queue-state.ts';
import { locate, placeInMain, readRecord } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import type { Table } from './tables.ts';

const messageKey = messageKeyMaker();
const scheduledKey = scheduledKeyMaker();
const placeKey = placeKeyMaker();

/** A page of one state, in the order in which the messages come up; group successors at the end. */
export function browse(store: LmdbStore, request: BrowseRequest): BrowsePage {
  const queue = store.queue(request.queue);
  const page = new Page(store, queue, request.limit);
  const { state, cursor = '' } = request;
  if (state === 'leased') page.addLeased(Number(cursor));
  else if (state === 'scheduled') page.addScheduled(cursor);
  else page.addReady(cursor);
  return { messages: page.messages, cursor: page.cursor };
}

class Page {
  readonly messages: StoredMessage[] = [];
  /** Where the page ended; null when nothing is left. */
  cursor: string | null = null;
  readonly #store: LmdbStore;
  readonly #queue: QueueState;
  readonly #limit: number;
  #last = '';

  constructor(store: LmdbStore, queue: QueueState, limit: number) {
    this.#store = store;
    this.#queue = queue;
    this.#limit = limit;
  }

  addLeased(after: number): void {
    const leases = [...this.#queue.leases.values()].filter((lease) => lease.sequence > after);
    leases.sort((a, b) => a.sequence - b.sequence);
    for (const lease of leases) {
      const record = readRecord(this.#store, this.#queue, lease);
      if (!record) continue;
      const { sequence } = lease;
      const message = toStoredMessage(this.#queue, record, sequence, 'leased', lease);
      if (!this.#add(message, String(sequence))) return;
    }
  }

  addScheduled(after: string): void {
    const [due = 0, sequence = 0] = after.split(' ').map(Number);
    const { number } = this.#queue;
    const start = Buffer.from(scheduledKey(number, due, sequence + 1));
    const end = Buffer.from(scheduledKey(number + 1, 0, 0));
    this.#walk(this.#store.tables.scheduled, start, end, (key) => {
      const at = { due: get48(key, 4), sequence: get48(key, 10) };
      if (this.#queue.leases.has(at.sequence)) return true;
      const place = { space: SCHEDULED, priority: 0, groupId: null, ...at } as const;
      const record = readRecord(this.#store, this.#queue, place);
      if (!record) return true;
      const message = toStoredMessage(this.#queue, record, at.sequence, 'scheduled', null);
      return this.#add(message, `${at.due} ${at.sequence}`);
    });
  }

  /** Cursors: the order in `messages`, or 'g' and the sequence of a group's successor. */
  addReady(after: string): void {
    if (!after.startsWith('g') && !this.#addMain(after === '' ? -1 : Number(after))) return;
    if (this.#queue.counters.waiting > 0) {
      this.#addWaiting(after.startsWith('g') ? Number(after.slice(1)) : 0);
    }
  }

  #addMain(after: number): boolean {
    const { number } = this.#queue;
    const from = after + 1;
    const start = Buffer.from(messageKey(number, priorityOf(from), sequenceOf(from)));
    const end = Buffer.from(messageKey(number, 0, SEQUENCE_LIMIT));
    return this.#walk(this.#store.tables.messages, start, end, (key) => {
      const place = placeInMain(key);
      if (this.#queue.leases.has(place.sequence)) return true;
      const record = readRecord(this.#store, this.#queue, place);
      if (!record) return true;
      const message = toStoredMessage(this.#queue, record, place.sequence, 'ready', null);
      return this.#add(message, String(orderOf(place.priority, place.sequence)));
    });
  }

  #addWaiting(after: number): void {
    const { number } = this.#queue;
    const start = Buffer.from(placeKey(number, GROUP, after + 1));
    const end = Buffer.from(placeKey(number, GROUP, SEQUENCE_LIMIT));
    this.#walk(this.#store.tables.places, start, end, (key) => {
      const sequence = get48(key, 5);
      if (this.#queue.leases.has(sequence)) return true;
      const found = locate(this.#store, this.#queue, sequence);
      if (found === undefined) return true;
      return this.#add(toStored({ queue: this.#queue, ...found }), `g${sequence}`);
    });
  }

  /** @returns false when the page is full and there is more */
  #add(message: StoredMessage, cursor: string): boolean {
    if (this.messages.length === this.#limit) {
      this.cursor = this.#last;
      return false;
    }
    this.messages.push(message);
    this.#last = cursor;
    return true;
  }

  #walk(
    table: Table,
    start: Uint8Array,
    end: Uint8Array,
    visit: (key: Uint8Array) => boolean,
  ): boolean {
    for (const key of table.getKeys({ start, end, snapshot: false })) {
      if (!visit(key)) return false;
    }
    return true;
  }
}
