import type { Socket } from 'node:net';
import { FrameWriter } from '../../protocols/amqp/frame-writer.ts';

export interface OutputOptions {
  /** Bytes that the client leaves unread, from which on nothing more is delivered to it. */
  readonly unreadMax: number;
  /** The client leaves a multiple of that unread, or has read most of it. */
  readonly clogged: (isClogged: boolean) => void;
  /** It has read nothing at all for a long time, with so much to read. */
  readonly abandoned: () => void;
}

/** Answers are not stopped as deliveries are: a client that asks on and on must be. */
const CLOGGED_FACTOR = 4;
/** Deliveries go on when so much of the limit is left. */
const DRAINED_SHARE = 0.5;
/** How long a client that is not read any more may read nothing. */
const ABANDONED_MS = 60_000;

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
      this.#send();
    }
    this.#hasSent = false;
  }

  get mayDeliver(): boolean {
    if (this.#unread < this.#options.unreadMax) return true;
    this.#isStalled = true;
    return false;
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
      this.#send();
    });
  }

  /** Sends what there is, and nothing after it. */
  end(): void {
    if (this.#isEnded) return;
    this.#send();
    this.#stop();
    this.#socket.end();
  }

  get #unread(): number {
    return this.writer.length + this.#socket.writableLength;
  }

  #send(): void {
    if (this.#isEnded || this.writer.length === 0) return;
    this.#hasSent = true;
    this.#socket.write(this.writer.take(), () => this.#clogTimer?.refresh());
    this.#look();
  }

  #look(): void {
    if (this.#isEnded) return;
    const { unreadMax, clogged } = this.#options;
    const unread = this.#unread;
    if (!this.#isClogged && unread > unreadMax * CLOGGED_FACTOR) {
      this.#isClogged = true;
      this.#clogTimer = setTimeout(this.#options.abandoned, ABANDONED_MS);
      clogged(true);
      return;
    }
    if (unread > unreadMax * DRAINED_SHARE) return;
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
  }
}
