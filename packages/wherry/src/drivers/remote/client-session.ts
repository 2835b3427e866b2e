import { randomBytes } from 'node:crypto';
import type { Channel } from './channel.ts';
import { Link } from './link.ts';
import { after, every } from './timers.ts';
import { Reader, WireError } from './wire/bytes.ts';
import { whole } from './wire/codec.ts';
import type { WireFailure } from './wire/errors.ts';
import { FrameStream } from './wire/frame-stream.ts';
import {
  emptyFrame,
  FRAME,
  frameOf,
  hello,
  MAGIC,
  PROTOCOL_VERSION,
  readWhole,
  refusal,
  type Welcome,
  welcome,
} from './wire/frames.ts';

/** Most bytes of a frame that is taken from a host: an answer may hold many messages. */
const FRAME_BYTES_MAX = 1024 * 1024 * 1024;
/** How long the host may take to let go of a client that leaves. Milliseconds. */
const LEAVE_MAX_MS = 1_000;
/** So many beats without a word from the host, and it is gone. */
const QUIET_BEATS_MAX = 2;

export interface ClientSessionEvents {
  /** @param isNew the host knows nothing of what was sent before */
  readonly onWelcome: (welcome: Welcome, isNew: boolean) => void;
  readonly onRefusal: (failure: WireFailure) => void;
  readonly onData: (payload: Reader) => void;
  /** The host has got something of what was sent, or all. */
  readonly onConfirmed: () => void;
  /** The host ends: it has taken so many of the data frames, and no more. */
  readonly onGone: (received: number) => void;
}

/** The client's end of a session with a host, over one channel after the other. */
export class ClientSession {
  readonly #id: string = randomBytes(16).toString('hex');
  readonly #heartbeat: number;
  readonly #events: ClientSessionEvents;
  #link = new Link();
  /** The host has welcomed it once. */
  #hasBegun = false;
  #channel: Channel | null = null;
  #isWelcome = false;
  #stopLeaving: () => void = () => undefined;

  /** @param heartbeat milliseconds between two signs of life */
  constructor(heartbeat: number, events: ClientSessionEvents) {
    this.#heartbeat = heartbeat;
    this.#events = events;
  }

  /** The host listens at this moment, as far as is known. */
  get isOpen(): boolean {
    return this.#isWelcome;
  }

  /** Sends data, now or after a reconnection. @returns which data frame of the session it is */
  send(frame: Buffer): number {
    this.#link.send(frame);
    return this.#link.sent;
  }

  /** Forgets what was sent: the next host has nothing of it. */
  begin(): void {
    this.#link = new Link();
    this.#hasBegun = false;
  }

  /** @returns when the channel is closed, with the reason if one is known */
  async serve(channel: Channel): Promise<Error | undefined> {
    const frames = new FrameStream(FRAME_BYTES_MAX);
    let failure: Error | undefined;
    let quietBeats = 0;
    let waiting = 0;
    const stopBeats = every(this.#heartbeat, () => {
      // What leaves is taken by somebody.
      const isTaken = channel.bufferedAmount < waiting;
      waiting = channel.bufferedAmount;
      quietBeats = isTaken ? 0 : quietBeats + 1;
      if (quietBeats > QUIET_BEATS_MAX) {
        failure = new Error(`no word for ${Math.round(quietBeats * this.#heartbeat)} ms`);
        channel.destroy();
        return;
      }
      this.#link.post(emptyFrame(FRAME.ping));
    });
    const closed = new Promise<Error | undefined>((resolve) => {
      channel.onClose = resolve;
    });
    this.#channel = channel;
    channel.onBytes = (bytes) => {
      quietBeats = 0;
      try {
        frames.push(bytes, (type, payload) => this.#receive(channel, type, payload));
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        channel.destroy();
        // Whatever a host sends, it is not the end of this process.
        if (!(error instanceof WireError)) process.emitWarning(failure);
      }
    };
    channel.send(
      frameOf(FRAME.hello, hello, {
        magic: MAGIC,
        version: PROTOCOL_VERSION,
        session: this.#id,
        received: this.#hasBegun ? this.#link.received : null,
        heartbeat: Math.ceil(this.#heartbeat),
      }),
    );
    const error = await closed;
    stopBeats();
    this.#stopLeaving();
    this.#isWelcome = false;
    this.#channel = null;
    this.#link.detach();
    return failure ?? error;
  }

  /** Ends the session in good order. */
  leave(): void {
    const channel = this.#channel;
    if (channel === null) return;
    this.#link.post(emptyFrame(FRAME.goodbye));
    this.#link.flush();
    channel.close();
    this.#stopLeaving = after(LEAVE_MAX_MS, () => channel.destroy());
  }

  #receive(channel: Channel, type: number, payload: Uint8Array): void {
    const from = new Reader(payload);
    if (!this.#isWelcome) {
      if (type === FRAME.welcome) this.#welcomed(channel, readWhole(from, welcome));
      else if (type === FRAME.refusal) this.#events.onRefusal(readWhole(from, refusal));
      else throw new WireError('The first frame');
      return;
    }
    if (type === FRAME.data) {
      this.#link.count(payload.length);
      this.#events.onData(from);
    } else if (type === FRAME.received) {
      if (!this.#link.confirm(readWhole(from, whole))) throw new WireError('A confirmation');
      this.#events.onConfirmed();
    } else if (type === FRAME.gone) {
      this.#events.onGone(readWhole(from, whole));
    } else if (type === FRAME.ping) this.#link.post(emptyFrame(FRAME.pong));
    else if (type !== FRAME.pong) throw new WireError('The kind of a frame');
  }

  #welcomed(channel: Channel, welcomed: Welcome): void {
    const isNew = welcomed.received === null;
    if (isNew) this.#link = new Link();
    const before = this.#link.unconfirmedBytes;
    this.#hasBegun = true;
    if (!this.#link.attach(channel, welcomed.received ?? 0)) {
      throw new WireError('A confirmation');
    }
    this.#isWelcome = true;
    this.#events.onWelcome(welcomed, isNew);
    const { unconfirmedBytes } = this.#link;
    if (!isNew && (unconfirmedBytes === 0 || unconfirmedBytes < before)) this.#events.onConfirmed();
  }
}
