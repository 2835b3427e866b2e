import { Counters } from './counters.ts';
import { expiryOf, GROUP, type Item, itemOf, MAIN, SCHEDULED, type Space } from './item.ts';
import { expiryKeyMaker, get32, get48, idKey, placeKeyMaker, textKey, timedKey } from './keys.ts';
import { headsOf } from './heads.ts';
import { decodeMark } from './marks.ts';
import type { QueueState } from './queue-state.ts';
import { decodeRecord, type StoredRecord } from './record.ts';
import { locate, type Place } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { read, type Table } from './tables.ts';

const expiryKey = expiryKeyMaker();
const placeKey = placeKeyMaker();

/** Something in the store that contradicts something else in it. */
export interface Problem {
  /** Stable: what kind of contradiction. */
  readonly code: string;
  readonly message: string;
}

/** What mends the contradictions that an examination finds; does nothing when only looking. */
export interface Remedies {
  setAside(queue: QueueState, place: Place, key: Uint8Array): void;
  index(queue: QueueState, item: Item): void;
  removeEntry(table: Table, key: Uint8Array): void;
  /** The entry has no value. */
  putEntry(table: Table, key: Uint8Array): void;
  /** The group has members, but a head that is missing or not the one that is named. */
  mendGroup(queue: QueueState, key: Uint8Array): void;
}

/** Goes through every entry of the store once, in memory that does not grow with it. */
export class Examination {
  readonly problems: Problem[] = [];
  /** What is stored, counted. */
  readonly counted: Map<number, Counters> = new Map();
  messages = 0;
  readonly #store: LmdbStore;
  readonly #remedies: Remedies;
  readonly #onMessage: (messages: number) => void;

  constructor(store: LmdbStore, remedies: Remedies, onMessage: (messages: number) => void) {
    this.#store = store;
    this.#remedies = remedies;
    this.#onMessage = onMessage;
  }

  run(): void {
    const { messages, scheduled, groups, fences, buckets } = this.#store.tables;
    this.#examineRecords(messages, MAIN);
    this.#examineRecords(scheduled, SCHEDULED);
    this.#examineRecords(groups, GROUP);
    this.#examinePlaces();
    this.#examineIds();
    this.#examineExpiry();
    this.#examineGroups();
    this.#examineDeduplication();
    this.#examineReplaceable();
    this.#examineOwners(fences, 'fences');
    this.#examineOwners(buckets, 'buckets');
    this.#examineMarks();
    this.#examineCounters();
    for (const key of this.#store.tables.damaged.getKeys()) {
      const at = `queue number ${get32(key, 0)}`;
      this.#add('set-aside', `A record of ${at} could not be read and was set aside.`);
    }
  }

  #add(code: string, message: string): void {
    this.problems.push({ code, message });
  }

  #queueAt(key: Uint8Array, at: number): QueueState | undefined {
    const number = get32(key, at);
    if (this.#store.buried.has(number)) return undefined;
    return this.#store.queues.get(number);
  }

  #locate(queue: QueueState, sequence: number): ReturnType<typeof locate> {
    const priorities = this.counted.get(queue.number)?.main.keys() ?? [];
    return locate(this.#store, queue, sequence, priorities);
  }

  #isBuried(key: Uint8Array, at: number): boolean {
    return this.#store.buried.has(get32(key, at));
  }

  #examineRecords(table: Table, space: Space): void {
    for (const { key, value } of table.getRange({ snapshot: false })) {
      const bytes = key;
      if (this.#isBuried(bytes, 0)) continue;
      const queue = this.#queueAt(bytes, 0);
      if (queue === undefined) {
        this.#add('no-queue', `A record belongs to queue number ${get32(bytes, 0)}, which is not.`);
        continue;
      }
      const sequence = get48(bytes, bytes.length - 6);
      const record = decodeRecord(value, queue.number, sequence);
      const due = space === SCHEDULED ? get48(bytes, 4) : 0;
      if (record === null) {
        const priority = space === MAIN ? 255 - bytes[4]! : 0;
        this.#add('unreadable', `Message ${sequence} of '${queue.name}' cannot be read.`);
        const place = { space, priority, sequence, due, groupId: null };
        this.#remedies.setAside(queue, place, bytes);
        continue;
      }
      this.#count(queue, record, sequence, space);
      this.#examineRecord(queue, record, itemOf(queue, record, sequence, space, due));
    }
  }

  #count(queue: QueueState, record: StoredRecord, sequence: number, space: Space): void {
    let counters = this.counted.get(queue.number);
    if (counters === undefined) this.counted.set(queue.number, (counters = new Counters()));
    counters.count(space, record.priority, 1);
    counters.bytes += record.bytes;
    counters.nextSequence = Math.max(counters.nextSequence, sequence + 1);
    this.messages += 1;
    this.#onMessage(this.messages);
  }

  #examineRecord(queue: QueueState, record: StoredRecord, item: Item): void {
    const { ids, expiry, heads, places } = this.#store.tables;
    const { number } = queue;
    const { sequence, space, groupId } = item;
    const what = `message '${item.id}' of '${queue.name}'`;
    if (record.damaged) this.#add('damaged', `The checksum of ${what} does not match.`);
    let isIndexed = true;
    if (item.expiry !== null) {
      isIndexed &&= read(expiry, expiryKey(item.expiry, number, sequence)) !== undefined;
    }
    if (item.hasIdEntry) {
      const entry = read(ids, idKey(item.id));
      isIndexed &&=
        entry !== undefined && get32(entry, 0) === number && get48(entry, 4) === sequence;
    }
    if (space !== MAIN) isIndexed &&= read(places, placeKey(number, space, sequence)) !== undefined;
    if (!isIndexed) {
      this.#add('not-indexed', `An index entry is missing for ${what}.`);
      this.#remedies.index(queue, item);
    }
    if (groupId === null || !item.isHead) return;
    const key = textKey(number, groupId);
    if (!headsOf(read(heads, key)).includes(sequence)) {
      this.#add('head', `The group of ${what} names other heads.`);
      this.#remedies.mendGroup(queue, key);
    }
  }

  /** Entries that point at no message, or at one that does not need them. */
  #examinePlaces(): void {
    const { places } = this.#store.tables;
    this.#examineEntries(places, 'places', 0, (queue, key) => {
      const found = this.#locate(queue, get48(key, 5));
      return found?.item.space === key[4];
    });
  }

  #examineExpiry(): void {
    const { expiry } = this.#store.tables;
    this.#examineEntries(expiry, 'expiry', 6, (queue, key) => {
      const found = this.#locate(queue, get48(key, 10));
      return found !== undefined && expiryOf(found.record) === get48(key, 0);
    });
  }

  #examineIds(): void {
    const { ids } = this.#store.tables;
    for (const { key, value } of ids.getRange({ snapshot: false })) {
      if (this.#isBuried(value, 0)) continue;
      const queue = this.#queueAt(value, 0);
      const sequence = get48(value, 4);
      const id = Buffer.from(key).toString('hex');
      if (queue !== undefined && this.#locate(queue, sequence)?.item.id === id) continue;
      this.#orphan(ids, key, 'ids');
    }
  }

  #examineEntries(
    table: Table,
    name: string,
    numberAt: number,
    isRight: (queue: QueueState, key: Uint8Array) => boolean,
  ): void {
    for (const key of table.getKeys({ snapshot: false })) {
      const bytes = key;
      if (this.#isBuried(bytes, numberAt)) continue;
      const queue = this.#queueAt(bytes, numberAt);
      if (queue === undefined || !isRight(queue, bytes)) this.#orphan(table, bytes, name);
    }
  }

  #orphan(table: Table, key: Uint8Array, name: string): void {
    this.#add('orphan', `An entry of '${name}' points at no message: ${hex(key)}.`);
    this.#remedies.removeEntry(table, key);
  }

  #examineGroups(): void {
    const { groups, heads, vacant } = this.#store.tables;
    for (const { key, value } of heads.getRange({ snapshot: false })) {
      const bytes = key;
      const queue = this.#queueAt(bytes, 0);
      if (queue === undefined) continue;
      const isThere = (sequence: number): boolean => {
        const item = this.#locate(queue, sequence)?.item;
        return item?.isHead === true && isSame(textKey(queue.number, item.groupId!), bytes);
      };
      if (value.length > 0 && headsOf(value).every(isThere)) continue;
      this.#add(
        'head',
        `A group of '${queue.name}' names a head that is not there: ${hex(bytes)}.`,
      );
      this.#remedies.mendGroup(queue, bytes);
    }
    let before = '';
    for (const key of groups.getKeys({ snapshot: false })) {
      const bytes = key;
      const group = bytes.subarray(0, bytes.length - 6);
      const queue = this.#queueAt(bytes, 0);
      if (queue === undefined || hex(group) === before) continue;
      before = hex(group);
      if (read(heads, group) !== undefined || read(vacant, group) !== undefined) continue;
      this.#add(
        'head',
        `A group of '${queue.name}' waits for a head that is not named: ${before}.`,
      );
      this.#remedies.mendGroup(queue, group);
    }
  }

  #examineDeduplication(): void {
    const { dedup, dedupTimes } = this.#store.tables;
    for (const { key, value } of dedup.getRange({ snapshot: false })) {
      const time = timedKey(get48(value, 0), key);
      if (read(dedupTimes, time) !== undefined) continue;
      this.#add('not-indexed', `A deduplication record would never be forgotten: ${hex(time)}.`);
      this.#remedies.putEntry(dedupTimes, time);
    }
    for (const key of dedupTimes.getKeys({ snapshot: false })) {
      const bytes = key;
      if (read(dedup, bytes.subarray(6)) === undefined)
        this.#orphan(dedupTimes, bytes, 'dedupTimes');
    }
  }

  #examineReplaceable(): void {
    const { lasts } = this.#store.tables;
    for (const { key, value } of lasts.getRange({ snapshot: false })) {
      if (this.#isBuried(key, 0)) continue;
      const queue = this.#queueAt(key, 0);
      const record = queue && this.#locate(queue, get48(value, 0))?.record;
      const isNamed =
        record?.isReplaceable === true &&
        isSame(textKey(queue!.number, record.deduplicationId ?? ''), key);
      if (!isNamed) this.#orphan(lasts, key, 'lasts');
    }
  }

  /** Entries that are a queue's, and no message's. */
  #examineOwners(table: Table, name: string): void {
    for (const key of table.getKeys({ snapshot: false })) {
      if (this.#isBuried(key, 0) || this.#queueAt(key, 0) !== undefined) continue;
      this.#add('orphan', `An entry of '${name}' is of no queue: ${hex(key)}.`);
      this.#remedies.removeEntry(table, key);
    }
  }

  #examineMarks(): void {
    const { marks } = this.#store.tables;
    for (const { key, value } of marks.getRange({ snapshot: false })) {
      const mark = decodeMark(value);
      if (mark !== undefined && this.#store.queues.has(mark.queue)) continue;
      this.#add('mark', `A batch that was handed out cannot be read: ${hex(key)}.`);
      this.#remedies.removeEntry(marks, key);
    }
  }

  #examineCounters(): void {
    for (const queue of this.#store.queues.values()) {
      const counted = this.counted.get(queue.number) ?? new Counters();
      const differing = differences(queue.counters, counted);
      if (differing.length === 0) continue;
      this.#add('counters', `The counters of '${queue.name}' are wrong: ${differing.join(', ')}.`);
    }
  }
}

function differences(stored: Counters, counted: Counters): string[] {
  const names = ['mainTotal', 'scheduled', 'waiting', 'bytes'] as const;
  const differing = names
    .filter((name) => stored[name] !== counted[name])
    .map((name) => `${name} ${stored[name]}, but ${counted[name]} are stored`);
  for (const priority of new Set([...stored.main.keys(), ...counted.main.keys()])) {
    if (stored.main.get(priority) !== counted.main.get(priority)) {
      differing.push(`messages of priority ${priority}`);
    }
  }
  if (stored.nextSequence < counted.nextSequence) differing.push('the next sequence');
  return differing;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return hex(a) === hex(b);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
