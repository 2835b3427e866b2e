import { ANSWER_BYTES_MAX } from './answer-limit.ts';
import type { CallName } from './wire/calls.ts';

/** What a call may bring, in bytes: a guess at first, what it is when that is known. */
export interface Share {
  bytes: number;
}

interface Waiting {
  readonly name: CallName;
  readonly start: (share: Share) => void;
}

/** Calls whose answers hold messages. Their requests are small, so that many may wait. */
const LARGE: ReadonlySet<CallName> = new Set(['take', 'browse', 'sweep', 'get']);
const WAITING_MAX = 10_000;
const TAKE_BYTES_MIN = 64 * 1024;
const UNCONFIRMED_MIN = 512 * 1024;

/**
 * Keeps the answers on their way to a client to what there is room for: a call that brings messages
 * begins when there is room for them. One at a time always may.
 */
export class AnswerRoom {
  /** Calls begin up to this many bytes. */
  readonly #limit: number;
  /** More are not sent. */
  readonly #max: number;
  readonly #unconfirmed: () => number;
  #shares = 0;
  #takeBytes = ANSWER_BYTES_MAX;
  #waiting: Waiting[] = [];

  constructor(limit: number, max: number, unconfirmed: () => number) {
    this.#limit = limit;
    this.#max = max;
    this.#unconfirmed = unconfirmed;
  }

  /** @param start called at once, or when there is room @returns false when too many wait */
  enter(name: CallName, start: (share: Share) => void): boolean {
    if (!LARGE.has(name)) {
      start({ bytes: 0 });
      return true;
    }
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push({ name, start });
    this.goOn();
    return true;
  }

  /** What a take brought. @returns whether it may be sent */
  took(share: Share, bytes: number): boolean {
    const isAlone = this.#shares === share.bytes && this.#isRead;
    this.#shares += bytes - share.bytes;
    share.bytes = bytes;
    const next = Math.max(bytes * 2, this.#takeBytes / 2, TAKE_BYTES_MIN);
    this.#takeBytes = Math.min(next, ANSWER_BYTES_MAX);
    return isAlone || this.#shares + this.#unconfirmed() <= this.#max;
  }

  /** The call is answered: what is not confirmed of it is counted elsewhere. */
  leave(share: Share): void {
    this.#shares -= share.bytes;
    this.goOn();
  }

  /** There may be room. */
  goOn(): void {
    let started = 0;
    for (const { name, start } of this.#waiting) {
      const bytes = name === 'take' ? this.#takeBytes : ANSWER_BYTES_MAX;
      const isAlone = this.#shares === 0 && this.#isRead;
      if (!isAlone && this.#shares + this.#unconfirmed() + bytes > this.#limit) break;
      started += 1;
      this.#shares += bytes;
      start({ bytes });
    }
    if (started > 0) this.#waiting.splice(0, started);
  }

  /** No more is unconfirmed than may be for ever: little is not confirmed by itself. */
  get #isRead(): boolean {
    return this.#unconfirmed() <= Math.max(this.#limit, UNCONFIRMED_MIN);
  }

  /** Those that wait are not begun any more. */
  clear(): void {
    this.#waiting = [];
  }
}
