import type { ChannelHost } from '../contracts.ts';

const PENDING = 0;
const STORED = 1;
const REFUSED = 2;
const RING_MIN = 256;

/**
 * The publisher confirms of a channel. Every publish gets a tag and exactly one answer; answers
 * that come in the same turn go out together, the contiguous ones as one with `multiple`.
 */
export class Confirms {
  readonly #number: number;
  readonly #host: ChannelHost;
  /** What became of the tags from `first` on: a ring, its length a power of 2. */
  #fates = new Uint8Array(RING_MIN);
  #first = 1;
  #last = 0;
  /** Tags above the first that were acknowledged each by itself. */
  #settled: number[] = [];
  #isScheduled = false;
  #isClosed = false;

  /** @param number the channel's */
  constructor(number: number, host: ChannelHost) {
    this.#number = number;
    this.#host = host;
  }

  /** Publishes that are not answered yet. Those answered out of order count until the first is. */
  get size(): number {
    return this.#last - this.#first + 1;
  }

  /** @returns the tag of a publish that begins */
  begin(): number {
    const tag = ++this.#last;
    if (this.size > this.#fates.length) this.#grow();
    this.#fates[tag & (this.#fates.length - 1)] = PENDING;
    return tag;
  }

  /** @param isStored false: the client is told that the message is lost */
  end(tag: number, isStored: boolean): void {
    this.#fates[tag & (this.#fates.length - 1)] = isStored ? STORED : REFUSED;
    if (isStored) this.#host.broker.traffic.confirmed++;
    this.#settled.push(tag);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // What a commit stored is told in one go: its answers come one after the other.
    queueMicrotask(this.#flush);
  }

  /** Nobody is there to be told. */
  close(): void {
    this.#isClosed = true;
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    const settled = this.#settled;
    this.#settled = [];
    if (this.#isClosed) return;
    const { writer } = this.#host;
    const mask = this.#fates.length - 1;
    for (const tag of settled) {
      if (this.#fates[tag & mask] === REFUSED) writer.nack(this.#number, tag, false, false);
    }
    // A tag is not the first any more when it was refused or acknowledged, in whatever turn.
    while (this.#first <= this.#last && this.#fates[this.#first & mask] !== PENDING) this.#first++;
    let upTo = 0;
    let count = 0;
    for (const tag of settled) {
      if (this.#fates[tag & mask] !== STORED) continue;
      if (tag >= this.#first) writer.ack(this.#number, tag, false);
      else {
        count++;
        if (tag > upTo) upTo = tag;
      }
    }
    if (count > 0) writer.ack(this.#number, upTo, count > 1);
    this.#host.flush();
  };

  #grow(): void {
    const old = this.#fates;
    const fates = new Uint8Array(old.length * 2);
    for (let tag = this.#first; tag < this.#last; tag++) {
      fates[tag & (fates.length - 1)] = old[tag & (old.length - 1)]!;
    }
    this.#fates = fates;
  }
}
