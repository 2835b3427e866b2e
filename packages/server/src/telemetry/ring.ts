import { waitQuantile } from 'wherry';

/** What is kept of each moment. */
export const SERIES = [
  'ready',
  'scheduled',
  'leased',
  'oldestAge',
  'in',
  'out',
  'waitP50',
  'waitP99',
] as const;
export type SeriesName = (typeof SERIES)[number];

/** A queue, or several together, at one moment. */
export interface Look {
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  /** Milliseconds, or null when nothing is ready. */
  readonly oldestAge: number | null;
  /** All that ever came. */
  readonly arrived: number;
  /** How many ever waited how long for their first delivery; null: nobody counts. */
  readonly waits: Float64Array | null;
}

/** The looks of a time, at even steps: the last of each step, and what came and went in it. */
export class Ring {
  readonly #step: number;
  readonly #size: number;
  readonly #values: Float64Array;
  /** The newest step that has a look: its number since 1970. */
  #slot = -1;
  /** The last look before that step: rates are counted from it. */
  #base: { readonly at: number; readonly look: Look } | null = null;
  #last: { readonly at: number; readonly look: Look } | null = null;

  /** @param step milliseconds @param size steps that are kept */
  constructor(step: number, size: number) {
    this.#step = step;
    this.#size = size;
    this.#values = new Float64Array(size * SERIES.length).fill(Number.NaN);
  }

  /** @param at milliseconds since 1970 */
  add(at: number, look: Look): void {
    const slot = Math.floor(at / this.#step);
    if (slot < this.#slot) return;
    if (slot > this.#slot) {
      this.#clear(Math.max(this.#slot + 1, slot - this.#size + 1), slot);
      this.#slot = slot;
      this.#base = this.#last;
    }
    this.#last = { at, look };
    const { in: inRate, out } = this.#rates(at, look);
    const { ready, scheduled, leased, oldestAge } = look;
    const row = [ready, scheduled, leased, oldestAge ?? 0, inRate, out, ...this.#waits(look)];
    this.#values.set(row, (slot % this.#size) * SERIES.length);
  }

  /** @returns the newest `size` steps up to `now`, oldest first; null where nobody looked */
  read(now: number): { step: number; from: number; series: Record<SeriesName, (number | null)[]> } {
    const newest = Math.floor(now / this.#step);
    const first = newest - this.#size + 1;
    const column = (field: number): (number | null)[] =>
      Array.from({ length: this.#size }, (_, i) => this.#at(first + i, field));
    const series = Object.fromEntries(SERIES.map((name, field) => [name, column(field)]));
    return {
      step: this.#step,
      from: first * this.#step,
      series: series as Record<SeriesName, (number | null)[]>,
    };
  }

  #at(slot: number, field: number): number | null {
    if (slot > this.#slot || slot <= this.#slot - this.#size || slot < 0) return null;
    const value = this.#values[(slot % this.#size) * SERIES.length + field]!;
    return Number.isNaN(value) ? null : value;
  }

  #clear(from: number, to: number): void {
    for (let slot = from; slot <= to; slot++) {
      const start = (slot % this.#size) * SERIES.length;
      this.#values.fill(Number.NaN, start, start + SERIES.length);
    }
  }

  /** Milliseconds that half of the messages waited at most, and all but one in a hundred. */
  #waits({ waits, arrived }: Look): [p50: number, p99: number] {
    const before = this.#base?.look;
    const isNew = before === undefined || before.waits === null || arrived < before.arrived;
    if (waits === null || isNew) return [Number.NaN, Number.NaN];
    const added = waits.map((count, i) => count - before.waits![i]!);
    return [waitQuantile(added, 0.5) ?? Number.NaN, waitQuantile(added, 0.99) ?? Number.NaN];
  }

  #rates(at: number, look: Look): { in: number; out: number } {
    const base = this.#base;
    const unknown = { in: Number.NaN, out: Number.NaN };
    // Fewer than before: the queue was made anew.
    if (base === null || at <= base.at || look.arrived < base.look.arrived) return unknown;
    const seconds = (at - base.at) / 1_000;
    const came = look.arrived - base.look.arrived;
    const left = came - (depth(look) - depth(base.look));
    return { in: came / seconds, out: Math.max(0, left) / seconds };
  }
}

function depth({ ready, scheduled, leased }: Look): number {
  return ready + scheduled + leased;
}
