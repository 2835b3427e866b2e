import type { QueueRef } from '../../core/driver.ts';
import { removeUnleased } from './departure.ts';
import { GROUP, MAIN, SCHEDULED, type Space } from './item.ts';
import { get48, numberKey } from './keys.ts';
import type { QueueState } from './queue-state.ts';
import { locate } from './spaces.ts';
import type { LmdbStore } from './store.ts';
import { afterPrefix, type Table } from './tables.ts';

/** Most messages that one commit removes, so that others get their turn. */
const CHUNK = 1_000;

/**
 * The order in which a purge goes through a queue: those who wait for their group's head first, so
 * that none becomes head only to be removed next; twice, for what became due in between.
 */
const STEPS: readonly Space[] = [GROUP, SCHEDULED, GROUP, MAIN];

/** A purge on its way: what was stored when it began goes, but not what is leased. */
export class Purge {
  removed = 0;
  readonly #store: LmdbStore;
  readonly #queue: QueueState;
  readonly #ref: QueueRef;
  /** Messages from this sequence on came later. */
  readonly #before: number;
  #step = 0;
  #from: Uint8Array | null = null;

  constructor(store: LmdbStore, queue: QueueState, ref: QueueRef) {
    this.#store = store;
    this.#queue = queue;
    this.#ref = ref;
    this.#before = queue.counters.nextSequence;
  }

  /** One commit's worth. @returns whether there is more */
  removeSome(): boolean {
    const space = STEPS[this.#step]!;
    const now = this.#store.now();
    const sequences = this.#nextSequences(space);
    for (const sequence of sequences) {
      const found = locate(this.#store, this.#queue, sequence);
      if (found === undefined) continue;
      removeUnleased(this.#store, this.#queue, found, this.#ref, now);
      this.removed += 1;
    }
    return this.#step < STEPS.length;
  }

  #nextSequences(space: Space): number[] {
    const prefix = prefixOf(this.#queue, space);
    const sequences: number[] = [];
    const range = { start: this.#from ?? prefix, end: afterPrefix(prefix), snapshot: false };
    for (const key of tableOf(this.#store, space).getKeys(range)) {
      const bytes = key;
      const sequence = get48(bytes, bytes.length - 6);
      if (sequences.length === CHUNK) {
        this.#from = bytes;
        return sequences;
      }
      if (sequence < this.#before && !this.#queue.leases.has(sequence)) sequences.push(sequence);
    }
    this.#from = null;
    this.#step += 1;
    return sequences;
  }
}

function tableOf(store: LmdbStore, space: Space): Table {
  const { messages, places, scheduled } = store.tables;
  return space === MAIN ? messages : space === SCHEDULED ? scheduled : places;
}

function prefixOf(queue: QueueState, space: Space): Uint8Array {
  const number = numberKey(queue.number);
  return space === GROUP ? Buffer.concat([number, Uint8Array.of(GROUP)]) : number;
}
