import type { Channel } from './channel.ts';
import { whole } from './wire/codec.ts';
import { FRAME, frameOf } from './wire/frames.ts';

/** So much that was received is confirmed without waiting for something to send. */
const CONFIRM_FRAMES = 64;
const CONFIRM_BYTES = 256 * 1024;
/** A frame of this size is not copied together with others. */
const LARGE_BYTES = 64 * 1024;

/**
 * One end of a connection that outlives its channels: each side counts the data that it has got, and
 * keeps what it has sent until the other side has it. After a cut, just what was lost is sent again,
 * in order, so that everything arrives once.
 */
export class Link {
  readonly #unconfirmed: Buffer[] = [];
  /** Before these, all of `#unconfirmed` is confirmed; they are thrown out in bulk. */
  #first = 0;
  #unconfirmedBytes = 0;
  #confirmed = 0;
  #received = 0;
  #receivedBytes = 0;
  #told = 0;
  #channel: Channel | null = null;
  #outgoing: Uint8Array[] = [];
  #isScheduled = false;

  /** Data frames that have arrived. */
  get received(): number {
    return this.#received;
  }

  /** Data frames that were sent. */
  get sent(): number {
    return this.#confirmed + this.#unconfirmed.length - this.#first;
  }

  /** Bytes of data that the other side has not confirmed. */
  get unconfirmedBytes(): number {
    return this.#unconfirmedBytes;
  }

  get isAttached(): boolean {
    return this.#channel !== null;
  }

  /**
   * Sends through this channel from now on.
   * @param received how much of what was sent has arrived on the other side
   * @returns false when that is more than was sent: it is another session
   */
  attach(channel: Channel, received: number): boolean {
    this.#channel = channel;
    this.#outgoing = [];
    if (!this.confirm(received)) return false;
    this.#told = this.#received;
    for (let i = this.#first; i < this.#unconfirmed.length; i++) this.post(this.#unconfirmed[i]!);
    return true;
  }

  detach(): void {
    this.#channel = null;
    this.#outgoing = [];
  }

  /** Sends a data frame, once whatever happens to channels. */
  send(frame: Buffer): void {
    this.#unconfirmed.push(frame);
    this.#unconfirmedBytes += frame.length;
    this.post(frame);
  }

  /** Sends a frame that is of no use on another channel. */
  post(frame: Uint8Array): void {
    if (this.#channel === null) return;
    this.#outgoing.push(frame);
    this.#schedule();
  }

  /** The other side has got so much. @returns false when so much was never sent */
  confirm(received: number): boolean {
    if (received > this.sent || received < this.#confirmed) return false;
    while (this.#confirmed < received) {
      this.#unconfirmedBytes -= this.#unconfirmed[this.#first]!.length;
      this.#first += 1;
      this.#confirmed += 1;
    }
    if (this.#first > 64 || this.#first === this.#unconfirmed.length) {
      this.#unconfirmed.splice(0, this.#first);
      this.#first = 0;
    }
    return true;
  }

  /** A data frame has arrived. */
  count(bytes: number): void {
    this.#received += 1;
    this.#receivedBytes += bytes;
    const isMuch =
      this.#received - this.#told >= CONFIRM_FRAMES || this.#receivedBytes >= CONFIRM_BYTES;
    if (isMuch && this.#channel !== null) this.#schedule();
  }

  /** Sends what waits, now, and with it how much has arrived. */
  flush(): void {
    const channel = this.#channel;
    if (channel === null) return;
    if (this.#received > this.#told) {
      this.#told = this.#received;
      this.#receivedBytes = 0;
      this.#outgoing.push(frameOf(FRAME.received, whole, this.#received));
    }
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    let small: Uint8Array[] = [];
    for (const frame of outgoing) {
      if (frame.length < LARGE_BYTES) {
        small.push(frame);
        continue;
      }
      sendTogether(channel, small);
      small = [];
      channel.send(frame);
    }
    sendTogether(channel, small);
  }

  /** What comes in one turn of the event loop goes out together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }
}

function sendTogether(channel: Channel, frames: readonly Uint8Array[]): void {
  if (frames.length === 1) channel.send(frames[0]!);
  else if (frames.length > 1) channel.send(Buffer.concat(frames));
}
