import { Counters } from './counters.ts';
import type { Remedies } from './examination.ts';
import { open as openGroup } from './groups.ts';
import { GROUP, type Item, MAIN, SCHEDULED } from './item.ts';
import { encodeHeads } from './heads.ts';
import { get48, numberKey, textKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import { locate, putIndexes, replace, setAside } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { copyOf } from './tables.ts';

/** Most repairs in one commit. */
const CHUNK = 1_000;

/** Collects what is to be done while the store is read, and does it afterwards. */
export class Repair implements Remedies {
  readonly #store: LmdbStore;
  readonly #steps: (() => void)[] = [];
  readonly #groups = new Map<string, () => void>();

  constructor(store: LmdbStore) {
    this.#store = store;
  }

  readonly setAside: Remedies['setAside'] = (queue, place, key) => {
    const copy = copyOf(key);
    this.#steps.push(() => setAside(this.#store, queue, place, copy));
  };

  readonly index: Remedies['index'] = (queue, item) => {
    this.#steps.push(() => putIndexes(this.#store, queue, item));
  };

  readonly removeEntry: Remedies['removeEntry'] = (table, key) => {
    const copy = copyOf(key);
    this.#steps.push(() => void table.removeSync(copy));
  };

  readonly putEntry: Remedies['putEntry'] = (table, key) => {
    const copy = copyOf(key);
    this.#steps.push(() => table.putSync(copy, Uint8Array.of(1)));
  };

  /** After all else: what the records say must be in order before heads are chosen. */
  readonly mendGroup: Remedies['mendGroup'] = (queue, key) => {
    const copy = copyOf(key);
    const name = Buffer.from(copy).toString('hex');
    this.#groups.set(name, () => this.#mendGroup(queue, copy));
  };

  /** @returns how many repairs were done */
  async run(): Promise<number> {
    const steps = [...this.#steps, ...this.#groups.values()];
    for (let at = 0; at < steps.length; at += CHUNK) {
      const some = steps.slice(at, at + CHUNK);
      await this.#store.committer.write(() => {
        for (const step of some) step();
      });
    }
    return steps.length;
  }

  /** Writes the counters that were counted. */
  async setCounters(counted: ReadonlyMap<number, Counters>): Promise<void> {
    await this.#store.committer.write(() => {
      for (const queue of this.#store.queues.values()) {
        const right = (counted.get(queue.number) ?? new Counters()).copy();
        right.nextSequence = Math.max(right.nextSequence, queue.counters.nextSequence);
        right.lastTime = queue.counters.lastTime;
        right.slots = queue.counters.slots;
        right.bucket = queue.counters.bucket;
        this.#store.touch(queue);
        queue.counters.restore(right);
      }
    });
  }

  /** As many of those outside the group's waiting room as it has slots stay heads, others wait. */
  #mendGroup(queue: QueueState, key: Uint8Array): void {
    const { heads } = this.#store.tables;
    const outside = this.#membersOutside(queue, key);
    const { slots } = queue.counters;
    for (const sequence of outside.slice(slots)) {
      const { item, record } = locate(this.#store, queue, sequence)!;
      replace(this.#store, queue, item, { ...record, blocksGroup: false }, GROUP);
    }
    heads.putSync(key, encodeHeads(outside.slice(0, slots)));
    openGroup(this.#store, queue, key, slots, this.#store.now());
  }

  /** @returns the sequences, in order, of a group's members that are heads by their record */
  #membersOutside(queue: QueueState, key: Uint8Array): number[] {
    const { messages, scheduled } = this.#store.tables;
    const found: number[] = [];
    const name = Buffer.from(key).toString('hex');
    const start = numberKey(queue.number);
    const end = numberKey(queue.number + 1);
    for (const [table, space] of [
      [messages, MAIN],
      [scheduled, SCHEDULED],
    ] as const) {
      for (const entry of table.getKeys({ start, end, snapshot: false })) {
        const bytes = entry;
        const sequence = get48(bytes, bytes.length - 6);
        const item: Item | undefined = locate(this.#store, queue, sequence)?.item;
        if (item?.space !== space || !item.isHead) continue;
        if (textKey(queue.number, item.groupId!).toString('hex') === name) found.push(sequence);
      }
    }
    return found.toSorted((a, b) => a - b);
  }
}

/** Looks, and mends nothing. */
export const NO_REMEDIES: Remedies = {
  setAside: () => undefined,
  index: () => undefined,
  removeEntry: () => undefined,
  putEntry: () => undefined,
  mendGroup: () => undefined,
};
