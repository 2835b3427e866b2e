import type { Socket } from 'node:net';
import { FrameWriter } from '../../../protocols/amqp/frame-writer.ts';

export interface OutputOptions {
  /** Bytes that the client leaves unread, from which on nothing more is delivered to it. */
  readonly unreadMax: number;
  /** The client leaves a multiple of that unread, or has read most of it. */
  readonly clogged: (isClogged: boolean) => void;
  /** With so much to read, it has read nothing at all for `stallMax` milliseconds. */
  readonly abandoned: () => void;
  readonly stallMax: number;
}

/** Answers are not stopped as deliveries are: a client that asks on and on must be. */
const CLOGGED_FACTOR = 4;
/** What is handed to the socket at once: that it has gone shows that the client reads. */
const SLICE_BYTES = 256 * 1024;
/** Deliveries go on when so much of the limit is left. */
const DRAINED_SHARE = 0.5;

/** What a connection sends: once per turn of the event loop, all that was written in it. */
export class Output {
  readonly writer: FrameWriter = new FrameWriter();
  readonly #socket: Socket;
  readonly #options: OutputOptions;
  readonly #drained = new Set<() => void>();
  #isScheduled = false;
  #isEnded = false;
  /** Somebody was told that nothing may be delivered. */
  #isStalled = false;
  #isClogged = false;
  #clogTimer: NodeJS.Timeout | undefined;
  #hasSent = false;
  /** What waits until the socket has sent what came before. */
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isSending = false;

  constructor(socket: Socket, options: OutputOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('drain', () => this.#look());
    socket.once('close', () => this.#stop());
  }

  /** Sends a heartbeat, unless something else was sent since the last call. */
  beat(): void {
    if (!this.#hasSent) {
      this.writer.heartbeat();
      this.send();
    }
    this.#hasSent = false;
  }

  get mayDeliver(): boolean {
    if (this.#unread < this.#options.unreadMax) return true;
    this.#isStalled = true;
    return false;
  }

  /** Whether answers, too, have to wait until the client has read. */
  get isClogged(): boolean {
    if (!this.#isClogged) this.#lookForClog();
    return this.#isClogged;
  }

  onDrain(listener: () => void): () => void {
    this.#drained.add(listener);
    return () => this.#drained.delete(listener);
  }

  flush(): void {
    if (this.#isScheduled || this.#isEnded) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.send();
    });
  }

  /** Sends what there is, and nothing after it. */
  end(): void {
    if (this.#isEnded) return;
    this.send();
    for (const bytes of this.#waiting) this.#socket.write(bytes);
    this.#stop();
    this.#socket.end();
  }

  get #unread(): number {
    return this.writer.length + this.#waitingBytes + this.#socket.writableLength;
  }

  /** Sends what there is, and does not wait for the end of the turn. */
  send(): void {
    if (this.#isEnded || this.writer.length === 0) return;
    this.#hasSent = true;
    const bytes = this.writer.take();
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#sendSlice();
    this.#look();
  }

  #sendSlice(): void {
    if (this.#isSending || this.#waiting.length === 0) return;
    this.#isSending = true;
    this.#socket.cork();
    for (let left = SLICE_BYTES; left > 0;) {
      const bytes = this.#waiting.shift()!;
      const slice = bytes.subarray(0, left);
      if (slice.length < bytes.length) this.#waiting.unshift(bytes.subarray(left));
      this.#waitingBytes -= slice.length;
      left = this.#waiting.length === 0 ? 0 : left - slice.length;
      if (left > 0) this.#socket.write(slice);
      else this.#socket.write(slice, this.#sent);
    }
    this.#socket.uncork();
  }

  readonly #sent = (error?: Error | null): void => {
    this.#isSending = false;
    this.#clogTimer?.refresh();
    if (this.#isEnded || error) return;
    this.#sendSlice();
    this.#look();
  };

  #lookForClog(): void {
    const { unreadMax, stallMax, clogged, abandoned } = this.#options;
    if (this.#isEnded || this.#unread <= unreadMax * CLOGGED_FACTOR) return;
    this.#isClogged = true;
    this.#clogTimer = setTimeout(abandoned, stallMax);
    clogged(true);
  }

  #look(): void {
    if (this.#isEnded) return;
    if (!this.#isClogged) this.#lookForClog();
    const { unreadMax, clogged } = this.#options;
    if (this.#unread > unreadMax * DRAINED_SHARE) return;
    if (this.#isClogged) {
      this.#isClogged = false;
      clearTimeout(this.#clogTimer);
      clogged(false);
    }
    if (!this.#isStalled) return;
    this.#isStalled = false;
    for (const listener of this.#drained) listener();
  }

  #stop(): void {
    this.#isEnded = true;
    clearTimeout(this.#clogTimer);
    this.#drained.clear();
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }
}
