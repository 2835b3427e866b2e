import type { Alarms } from './alarms.ts';
import { memorySize, type Probes, SYSTEM_PROBES } from './probes.ts';

type Watched = 'disk' | 'memory';

export interface WatermarksParts {
  readonly alarms: Alarms;
  /** Where the store is; null: not in a folder of this machine. */
  readonly folder: string | null;
  /** Least bytes that must be free there; 0: none. */
  readonly diskFree: number;
  /** Most memory: bytes, or a share of what there is; 0: any. */
  readonly memory: number;
  /** It could not be measured: told once, until it could be again. */
  readonly failed: (what: Watched, error: unknown) => void;
  readonly probes?: Probes;
}

const LOOK_EVERY_MS = 1_000;
/** An alarm is over when there is so much more room than what raises it. */
const MARGIN = 0.05;
/** The engine slows down long before its heap is full, and ends the process when it is. */
const HEAP_SHARE = 0.85;
/** A collection stops everything: it may take this share of the time. */
const COLLECT_SHARE = 0.05;
/** When a store that had no room is tried again: it does not say when it has. */
const STORE_FULL_MS = 5_000;

/** Looks at what the broker lives on, and raises an alarm before there is none of it. */
export class Watermarks {
  readonly #parts: WatermarksParts;
  readonly #probes: Probes;
  readonly #memoryMax: number;
  #timer: NodeJS.Timeout | undefined;
  #storeTimer: NodeJS.Timeout | undefined;
  #isAskingDisk = false;
  readonly #failing = new Set<Watched>();
  /** When the next collection may be. */
  #collectAfter = 0;

  constructor(parts: WatermarksParts) {
    this.#parts = parts;
    this.#probes = parts.probes ?? SYSTEM_PROBES;
    const { memory } = parts;
    this.#memoryMax = memory <= 1 ? memory * memorySize() : memory;
  }

  /** Resolves after the first look. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
    await this.look();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#storeTimer);
  }

  /** The store has refused for want of room. @param detail what it said */
  storeFull(detail: string): void {
    const { alarms } = this.#parts;
    alarms.raise('store-full', detail);
    clearTimeout(this.#storeTimer);
    this.#storeTimer = setTimeout(() => alarms.clear('store-full'), STORE_FULL_MS).unref();
  }

  /** Never rejects. */
  async look(): Promise<void> {
    await this.#attempt('memory', () => this.#lookAtMemory());
    // A file system that hangs must not be asked again and again.
    if (this.#isAskingDisk) return;
    this.#isAskingDisk = true;
    await this.#attempt('disk', () => this.#lookAtDisk());
    this.#isAskingDisk = false;
  }

  /** Each look reads files: where there are too many connections, none can be opened. */
  async #attempt(what: Watched, look: () => void | Promise<void>): Promise<void> {
    try {
      await look();
      this.#failing.delete(what);
    } catch (error) {
      if (!this.#failing.has(what)) this.#parts.failed(what, error);
      this.#failing.add(what);
    }
  }

  async #lookAtDisk(): Promise<void> {
    const { alarms, folder, diskFree } = this.#parts;
    if (folder === null || diskFree === 0) return;
    const free = await this.#probes.freeDisk(folder);
    if (free < diskFree) {
      alarms.raise(
        'disk',
        `${mebibytes(free)} are free on the store's disk; limits.diskFree is ${mebibytes(diskFree)}. ` +
          'Free some space: until then the broker takes no messages.',
      );
    } else if (free >= diskFree * (1 + MARGIN)) alarms.clear('disk');
  }

  #lookAtMemory(): void {
    if (this.#memoryMax === 0) return;
    const { alarms } = this.#parts;
    let share = this.#memoryShare();
    const isShort = share > 1 || alarms.has('memory');
    if (isShort && performance.now() >= this.#collectAfter) {
      this.#collect();
      share = this.#memoryShare();
    }
    if (share > 1) {
      const { used, heap, heapMax } = this.#probes.memory();
      alarms.raise(
        'memory',
        `${mebibytes(used)} of memory are in use, at most ${mebibytes(this.#memoryMax)} may be ` +
          `(limits.memory); ${mebibytes(heap)} of them in a heap of ${mebibytes(heapMax)}. ` +
          'Receive or purge messages that are kept in memory: until then the broker takes no more.',
      );
    } else if (share < 1 - MARGIN) alarms.clear('memory');
  }

  #collect(): void {
    const begun = performance.now();
    this.#probes.collect();
    const now = performance.now();
    this.#collectAfter = now + Math.max(LOOK_EVERY_MS / 2, (now - begun) / COLLECT_SHARE);
  }

  /** @returns 1 when there is just as much in use as may be */
  #memoryShare(): number {
    const { used, heap, heapMax } = this.#probes.memory();
    return Math.max(used / this.#memoryMax, heap / (heapMax * HEAP_SHARE));
  }
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
