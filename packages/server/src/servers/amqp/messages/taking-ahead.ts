import type { HeldMessage } from 'wherry';

/** Whoever wants more messages this soon may well want more again. */
const BRISK_MS = 50;
/** How long messages may lie ready for consumers that do not want any. */
const IDLE_MS = 100;
const AHEAD_MIN = 8;
const AHEAD_MAX = 512;

/**
 * Messages that were taken before anybody here may have them: consumers that are quick, and may have
 * few at once, need not wait for the store each time. Only as long as they are quick.
 */
export class TakingAhead {
  readonly #giveBack: (held: HeldMessage) => void;
  #stock: HeldMessage[] = [];
  #next = 0;
  #depth = 0;
  /** When a message was handed out last. */
  #usedAt = -Infinity;
  #timer: NodeJS.Timeout | null = null;

  /** @param giveBack to its place, as if nobody had seen it */
  constructor(giveBack: (held: HeldMessage) => void) {
    this.#giveBack = giveBack;
  }

  get size(): number {
    return this.#stock.length - this.#next;
  }

  /** Little is left of what lies ready. */
  get isLow(): boolean {
    return this.#depth > 0 && this.size <= this.#depth / 2;
  }

  /** How many messages more than they may have now are to be taken for the consumers. */
  get missing(): number {
    return Math.max(0, this.#depth - this.size);
  }

  /**
   * Before each call to the store: as long as the consumers are quick, it brings more and more.
   * @param credit how much they may have now
   * @param hasPlenty the last call brought all that it was asked for
   */
  pace(credit: number, hasPlenty: boolean): void {
    const isBrisk = performance.now() - this.#usedAt < BRISK_MS;
    if (hasPlenty && isBrisk) {
      this.#depth = Math.min(AHEAD_MAX, Math.max(AHEAD_MIN, this.#depth * 2, credit * 2));
    } else if (this.size === 0) this.#depth = 0;
  }

  /** Some message was handed out. */
  used(): void {
    this.#usedAt = performance.now();
  }

  add(held: HeldMessage): void {
    this.#stock.push(held);
    this.#timer ??= setTimeout(this.#check, IDLE_MS).unref();
  }

  /** The message that comes next. */
  shift(): HeldMessage | undefined {
    const held = this.#stock[this.#next];
    if (held === undefined) return undefined;
    this.#next += 1;
    if (this.#next === this.#stock.length) {
      this.#stock = [];
      this.#next = 0;
    }
    return held;
  }

  /** All goes back to its place. @returns whether there was any */
  end(): boolean {
    this.#depth = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const left = this.#stock.slice(this.#next);
    this.#stock = [];
    this.#next = 0;
    for (const held of left) this.#giveBack(held);
    return left.length > 0;
  }

  readonly #check = (): void => {
    this.#timer = null;
    if (this.size === 0) return;
    const idle = performance.now() - this.#usedAt;
    if (idle >= IDLE_MS) this.end();
    else this.#timer = setTimeout(this.#check, IDLE_MS - idle).unref();
  };
}
