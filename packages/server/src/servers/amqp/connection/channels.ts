import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { FRAME, type Frame } from '../../../protocols/amqp/frames.ts';
import { decodeMethod, methodIds } from '../../../protocols/amqp/methods.ts';
import { ChannelSlot, type SlotOwner } from './channel-slot.ts';
import { ContentOrder } from './content-order.ts';
import type { ChannelInfo, CreateChannel } from '../contracts.ts';
import type { Reading } from './reading.ts';
import type { Session } from './session.ts';

export interface ChannelsParts {
  readonly session: Session;
  readonly reading: Reading;
  readonly create: CreateChannel;
  readonly channelMax: number;
  readonly publishing: () => void;
  readonly failed: (error: unknown) => void;
}

/** What may wait for what came before it on its channel, until the socket is not read. */
const WAITING_MAX = { frames: 1_000, bytes: 4 * 2 ** 20 } as const;
/** Bodies that may have been begun on all channels, in longest bodies. */
const ANNOUNCED_BODIES_MAX = 4;

/** The channels of a connection. */
export class Channels implements SlotOwner {
  readonly #parts: ChannelsParts;
  readonly #slots = new Map<number, ChannelSlot>();
  #waitingFrames = 0;
  #waitingBytes = 0;
  #announced = 0;

  constructor(parts: ChannelsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#slots.size;
  }

  describe(): ChannelInfo[] {
    return Array.from(this.#slots.values(), (slot) => slot.describe());
  }

  /** @throws AmqpError for a channel that is not open */
  receive(frame: Frame): void {
    const slot = this.#slots.get(frame.channel);
    if (slot === undefined) this.#open(frame);
    else slot.receive(frame);
  }

  get isClogged(): boolean {
    return this.#parts.session.isClogged;
  }

  /** The client has read what it was sent. */
  goOn(): void {
    for (const slot of this.#slots.values()) slot.goOn();
  }

  rightsChanged(): void {
    for (const slot of this.#slots.values()) slot.rightsChanged();
  }

  /** Closes a channel that is open, and tells the client why. */
  fail(channel: number, error: AmqpError): void {
    this.#slots.get(channel)?.fail(error);
  }

  /** The connection has ended. Never rejects. */
  async end(): Promise<void> {
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    await Promise.all(slots.map((slot) => slot.end()));
  }

  send: SlotOwner['send'] = (channel, name, args): void => {
    this.#parts.session.writer.method(channel, name, args);
    this.#parts.session.flush();
  };

  waiting(frames: number, bytes: number): void {
    this.#waitingFrames += frames;
    this.#waitingBytes += bytes;
    const { reading } = this.#parts;
    const { frames: framesMax, bytes: bytesMax } = WAITING_MAX;
    if (this.#waitingFrames > framesMax || this.#waitingBytes > bytesMax) {
      reading.pause('inbox');
    } else if (this.#waitingFrames <= framesMax / 2 && this.#waitingBytes <= bytesMax / 2) {
      reading.resume('inbox');
    }
  }

  publishing(): void {
    this.#parts.publishing();
  }

  closed(channel: number, left: readonly Frame[]): void {
    this.#slots.delete(channel);
    try {
      for (const frame of left) this.receive(frame);
    } catch (error) {
      this.#parts.failed(error);
    }
  }

  failed(error: unknown): void {
    this.#parts.failed(error);
  }

  /** Only channel.open may come for a number that is free. */
  #open({ type, channel, payload }: Frame): void {
    const { session, create, channelMax } = this.#parts;
    const method = type === FRAME.method ? decodeMethod(payload) : null;
    // The client has closed it when we did, and this was still on its way.
    if (method?.name === 'channel.close-ok') return;
    if (method?.name !== 'channel.open') {
      const of = method === null ? {} : { method: methodIds(method.name) };
      throw new AmqpError('channel-error', "expected 'channel.open'", of);
    }
    if (this.#slots.size >= channelMax || channel > channelMax) {
      throw new AmqpError(
        'not-allowed',
        this.#slots.size < channelMax
          ? `channel ${channel} is higher than the negotiated channel_max (${channelMax})`
          : `number of channels opened (${this.#slots.size}) has reached ` +
              `the negotiated channel_max (${channelMax})`,
      );
    }
    const bodyMax = session.broker.config.limits.bodyBytes;
    const order = new ContentOrder({ bodyMax, announce: (bytes) => this.#announce(bytes) });
    const end = create(channel, session);
    this.#slots.set(channel, new ChannelSlot({ number: channel, end, order, owner: this }));
    this.send(channel, 'channel.open-ok', {});
  }

  #announce(bytes: number): void {
    const { session } = this.#parts;
    const { bodyBytes } = session.broker.config.limits;
    const max = ANNOUNCED_BODIES_MAX * bodyBytes;
    if (bytes > 0 && this.#announced + bytes > max) {
      throw new AmqpError(
        'resource-error',
        `bodies of ${this.#announced + bytes} bytes have been begun on this connection; ` +
          `at most ${max} may be under way at once`,
      );
    }
    this.#announced += bytes;
    if (bytes !== 0) session.reserve(bytes);
  }
}
