import { after, monotonic } from './timers.ts';

export type News = 'ready' | 'room';

/** What is known of one queue and one kind of news. Times are of the monotonic clock, in ms. */
interface Entry {
  readonly what: News;
  readonly queueNumber: number;
  /** When it happened here last. */
  happenedAt: number;
  /** When the others were told last, by anybody. */
  toldAt: number;
  /** It happened here after we told them last. */
  isPending: boolean;
}

/** Between two announcements of the same: at first, and at most, in milliseconds. */
const PAUSE_MIN_MS = 2;
const PAUSE_MAX_MS = 128;
/** So many announcements a second, of all processes together, are borne; with more, pauses grow. */
const RATE_MAX = 1_000;
const RATE_WINDOW_MS = 250;
/** A process that begins to listen may have missed what happened so long before. */
const RECENT_MS = 2_000;
/** A payload of NOTIFY has room for less than 8,000 bytes. */
const NUMBERS_PER_PAYLOAD = 500;
const ENTRIES_MAX = 1_000;

/**
 * Decides when other processes are told what happened here: at once, if it is a while since they
 * were last told the same by anybody, and else after a pause, once for all that happened in it.
 * Every NOTIFY costs its sender a commit and each listening process a look, so the pause grows
 * while there are many, whoever sends them.
 */
export class Announcer {
  #listeners = 0;
  readonly #send: (payloads: readonly string[]) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Set<Entry>();
  #cancel: (() => void) | null = null;
  #pause = PAUSE_MIN_MS;
  #windowStart = 0;
  #inWindow = 0;

  /** @param send tells the others, and handles its own failures */
  constructor(send: (payloads: readonly string[]) => void) {
    this.#send = send;
  }

  /**
   * How many other processes listen, as somebody counted them; nobody is told if none does. One that
   * has just begun may have missed what happened shortly before.
   */
  setListeners(count: number): void {
    const isMore = count > this.#listeners;
    this.#listeners = count;
    if (!isMore) return;
    const recent = monotonic() - RECENT_MS;
    for (const entry of this.#entries.values()) {
      if (entry.happenedAt >= recent && !entry.isPending) this.#await(entry);
    }
  }

  /** One more process listens. */
  greeted(): void {
    this.setListeners(this.#listeners + 1);
  }

  /** Something happened here. */
  happened(queueNumber: number, what: News): void {
    const entry = this.#entry(queueNumber, what);
    entry.happenedAt = monotonic();
    if (this.#listeners === 0 || entry.isPending) return;
    this.#await(entry);
  }

  /** Somebody, maybe we, told everybody. */
  heard(queueNumbers: readonly number[], what: News): void {
    this.#measure();
    const now = monotonic();
    for (const queueNumber of queueNumbers) this.#entry(queueNumber, what).toldAt = now;
  }

  /** Tells what has not been told yet. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#flush(0);
    this.#entries.clear();
  }

  #entry(queueNumber: number, what: News): Entry {
    const key = `${what} ${queueNumber}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= ENTRIES_MAX) this.#forgetOld();
      const never = -Infinity;
      entry = { what, queueNumber, happenedAt: never, toldAt: never, isPending: false };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #await(entry: Entry): void {
    entry.isPending = true;
    this.#pending.add(entry);
    if (this.#cancel === null) this.#schedule();
  }

  #schedule(): void {
    if (this.#pending.size === 0) return;
    let due = Infinity;
    for (const { toldAt } of this.#pending) due = Math.min(due, toldAt + this.#pause);
    this.#cancel = after(Math.max(0, due - monotonic()), () => {
      this.#cancel = null;
      this.#flush(this.#pause);
      this.#schedule();
    });
  }

  /** @param pause since the others were told the same, in milliseconds */
  #flush(pause: number): void {
    const now = monotonic();
    const numbers: Record<News, number[]> = { ready: [], room: [] };
    for (const entry of this.#pending) {
      if (entry.toldAt + pause > now) continue;
      this.#pending.delete(entry);
      entry.isPending = false;
      entry.toldAt = now;
      numbers[entry.what].push(entry.queueNumber);
    }
    const payloads: string[] = [];
    for (const what of ['ready', 'room'] as const) {
      for (let at = 0; at < numbers[what].length; at += NUMBERS_PER_PAYLOAD) {
        payloads.push(`${what} ${numbers[what].slice(at, at + NUMBERS_PER_PAYLOAD).join(' ')}`);
      }
    }
    if (payloads.length > 0) this.#send(payloads);
  }

  #measure(): void {
    this.#inWindow += 1;
    const elapsed = monotonic() - this.#windowStart;
    if (elapsed < RATE_WINDOW_MS) return;
    const rate = (this.#inWindow * 1_000) / elapsed;
    if (rate > RATE_MAX) this.#pause = Math.min(this.#pause * 2, PAUSE_MAX_MS);
    else if (rate < RATE_MAX / 2) this.#pause = Math.max(this.#pause / 2, PAUSE_MIN_MS);
    this.#windowStart = monotonic();
    this.#inWindow = 0;
  }

  #forgetOld(): void {
    const recent = monotonic() - RECENT_MS;
    for (const [key, { isPending, happenedAt, toldAt }] of this.#entries) {
      if (!isPending && Math.max(happenedAt, toldAt) < recent) this.#entries.delete(key);
    }
  }
}
