import { ByteWriter, copyRange, writeShortstr } from './byte-writer.ts';
import { FRAME, FRAME_END, FRAME_HEADER_SIZE, FRAME_OVERHEAD } from './frames.ts';
import { type MethodArguments, type MethodName, writeMethod } from './methods.ts';

const BASIC = 60;
const DELIVER = 60;
const ACK = 80;
const NACK = 120;

/** Class, method, delivery tag and bits. */
const ACK_PAYLOAD = 13;
/** Class, weight and size of the body. */
const CONTENT_HEADER = 12;
/** Class, method, delivery tag, bits and three short strings of 255 characters and up to 765 bytes. */
const DELIVER_MAX = 13 + 3 * 766;
const WORD = 2 ** 32;

/** Where in a stored body the parts of a message are. */
export interface StoredPlaces {
  /** Exchange and routing key, as short strings one behind the other. */
  readonly addressAt: number;
  readonly addressEnd: number;
  readonly propertiesAt: number;
  /** Where the properties end, too; the payload goes on to the end. */
  readonly payloadAt: number;
}

/** Writes frames one after the other, for a connection to send together. */
export class FrameWriter {
  readonly #out = new ByteWriter();

  /** How many bytes were written since `take`. */
  get length(): number {
    return this.#out.length;
  }

  /** @returns what was written, owned by the caller; the writer begins anew */
  take(): Buffer {
    return this.#out.take();
  }

  /**
   * @param args what is left out takes the default of the specification
   * @throws RangeError a value is outside its type; nothing was written
   */
  method<N extends MethodName>(
    channel: number,
    name: N,
    args: Partial<MethodArguments[N]> = {},
  ): void {
    const out = this.#out;
    const before = out.length;
    try {
      out.octet(FRAME.method);
      out.short(channel);
      const start = out.skipLength();
      writeMethod(out, name, args);
      out.setLength(start);
      out.octet(FRAME_END);
    } catch (error) {
      out.rewind(before);
      throw error;
    }
  }

  /**
   * The content header and the body of a method that was just written. The header goes into one
   * frame whatever its size: AMQP does not divide it.
   *
   * @param properties flags and values, as `encodeProperties` returns them
   * @param frameMax bytes that a frame takes at most, with its overhead
   */
  content(channel: number, properties: Uint8Array, payload: Uint8Array, frameMax: number): void {
    const end = payload.length;
    this.#content(channel, properties, 0, properties.length, payload, 0, end, frameMax);
  }

  /**
   * basic.deliver and its content, as they are stored.
   *
   * @param body where all that is told by `places` is
   * @throws RangeError the consumer tag takes more than 255 bytes; nothing was written
   */
  deliverStored(
    channel: number,
    consumerTag: string,
    deliveryTag: number,
    redelivered: boolean,
    body: Uint8Array,
    places: StoredPlaces,
    frameMax: number,
  ): void {
    const { addressAt, addressEnd, propertiesAt, payloadAt } = places;
    const out = this.#out;
    const at = this.#beginDeliver(channel, consumerTag, deliveryTag, redelivered);
    const addressed = copyRange(out.bytes, at, body, addressAt, addressEnd);
    out.at = endMethod(out.bytes, out.at, addressed);
    const end = body.length;
    this.#content(channel, body, propertiesAt, payloadAt, body, payloadAt, end, frameMax);
  }

  #content(
    channel: number,
    properties: Uint8Array,
    propertiesAt: number,
    propertiesEnd: number,
    payload: Uint8Array,
    payloadAt: number,
    payloadEnd: number,
    frameMax: number,
  ): void {
    const out = this.#out;
    const total = payloadEnd - payloadAt;
    const bodyMax = frameMax - FRAME_OVERHEAD;
    if (!(bodyMax > 0)) throw new RangeError(`a frame of ${frameMax} bytes has no room`);
    const bodies = Math.ceil(total / bodyMax);
    const headerSize = CONTENT_HEADER + propertiesEnd - propertiesAt;
    out.reserve(headerSize + total + FRAME_OVERHEAD * (1 + bodies));
    const { bytes } = out;
    let at = beginFrame(bytes, out.at, FRAME.header, channel, headerSize);
    at = writeLong(bytes, at, BASIC * 0x10000);
    at = writeLong(bytes, at, Math.floor(total / WORD));
    at = writeLong(bytes, at, total);
    at = copyRange(bytes, at, properties, propertiesAt, propertiesEnd);
    bytes[at++] = FRAME_END;
    if (bodies === 1) {
      at = beginFrame(bytes, at, FRAME.body, channel, total);
      at = copyRange(bytes, at, payload, payloadAt, payloadEnd);
      bytes[at++] = FRAME_END;
    } else {
      for (let from = payloadAt; from < payloadEnd; from += bodyMax) {
        const to = Math.min(payloadEnd, from + bodyMax);
        at = beginFrame(bytes, at, FRAME.body, channel, to - from);
        at = copyRange(bytes, at, payload, from, to);
        bytes[at++] = FRAME_END;
      }
    }
    out.at = at;
  }

  /**
   * basic.deliver; `content` follows.
   *
   * @throws RangeError a string takes more than 255 bytes; nothing was written
   */
  deliver(
    channel: number,
    consumerTag: string,
    deliveryTag: number,
    redelivered: boolean,
    exchange: string,
    routingKey: string,
  ): void {
    const out = this.#out;
    let at = this.#beginDeliver(channel, consumerTag, deliveryTag, redelivered);
    at = writeShortstr(out.bytes, at, exchange);
    at = writeShortstr(out.bytes, at, routingKey);
    out.at = endMethod(out.bytes, out.at, at);
  }

  /** Makes room for the whole method. @returns where the exchange goes */
  #beginDeliver(
    channel: number,
    consumerTag: string,
    deliveryTag: number,
    redelivered: boolean,
  ): number {
    const out = this.#out;
    out.reserve(FRAME_OVERHEAD + DELIVER_MAX);
    const { bytes } = out;
    let at = beginMethod(bytes, out.at, channel, DELIVER);
    at = writeShortstr(bytes, at, consumerTag);
    at = writeTag(bytes, at, deliveryTag);
    bytes[at] = redelivered ? 1 : 0;
    return at + 1;
  }

  ack(channel: number, deliveryTag: number, multiple: boolean): void {
    this.#settle(ACK, channel, deliveryTag, multiple ? 1 : 0);
  }

  nack(channel: number, deliveryTag: number, multiple: boolean, requeue: boolean): void {
    this.#settle(NACK, channel, deliveryTag, (multiple ? 1 : 0) | (requeue ? 2 : 0));
  }

  heartbeat(): void {
    const out = this.#out;
    out.reserve(FRAME_OVERHEAD);
    const at = beginFrame(out.bytes, out.at, FRAME.heartbeat, 0, 0);
    out.bytes[at] = FRAME_END;
    out.at = at + 1;
  }

  #settle(method: number, channel: number, deliveryTag: number, bits: number): void {
    const out = this.#out;
    out.reserve(FRAME_OVERHEAD + ACK_PAYLOAD);
    const { bytes } = out;
    const start = out.at;
    let at = beginMethod(bytes, start, channel, method);
    at = writeTag(bytes, at, deliveryTag);
    bytes[at++] = bits;
    out.at = endMethod(bytes, start, at);
  }
}

/* These write without a check: there is room, and the numbers are the broker's own. */

function writeLong(bytes: Buffer, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

function writeTag(bytes: Buffer, at: number, value: number): number {
  return writeLong(bytes, writeLong(bytes, at, Math.floor(value / WORD)), value);
}

function beginFrame(
  bytes: Buffer,
  at: number,
  type: number,
  channel: number,
  size: number,
): number {
  bytes[at] = type;
  bytes[at + 1] = channel >>> 8;
  bytes[at + 2] = channel;
  return writeLong(bytes, at + 3, size);
}

/** A method of class basic; `endMethod` fills in the size. */
function beginMethod(bytes: Buffer, at: number, channel: number, method: number): number {
  return writeLong(
    bytes,
    beginFrame(bytes, at, FRAME.method, channel, 0),
    BASIC * 0x10000 + method,
  );
}

function endMethod(bytes: Buffer, start: number, at: number): number {
  writeLong(bytes, start + 3, at - start - FRAME_HEADER_SIZE);
  bytes[at] = FRAME_END;
  return at + 1;
}
