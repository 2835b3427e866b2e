import { ByteReader } from './byte-reader.ts';
import { AmqpSyntaxError, FramingError } from './errors.ts';

export const FRAME = { method: 1, header: 2, body: 3, heartbeat: 8 } as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

/** The last byte of every frame. */
export const FRAME_END = 206;

/** Type, channel and size. */
export const FRAME_HEADER_SIZE = 7;
/** What a frame takes beside its payload. */
export const FRAME_OVERHEAD: number = FRAME_HEADER_SIZE + 1;

/** What both sides begin with: the version that is spoken. */
export const PROTOCOL_HEADER: Buffer = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

/** That of AMQP 0-9. Clients with it, such as aioamqp, speak 0-9-1 all the same. */
const FORMER_HEADER = Buffer.from('AMQP\x01\x01\0\x09', 'latin1');

const ROOM_MIN = 64;
const TYPES: ReadonlySet<number> = new Set(Object.values(FRAME));
const EMPTY: Buffer = Buffer.alloc(0);

export interface Frame {
  readonly type: FrameType;
  readonly channel: number;
  readonly payload: Buffer;
}

export interface ContentHeader {
  readonly classId: number;
  /** Bytes of all body frames together. */
  readonly bodySize: number;
  /** Flags and values, a view of the payload. */
  readonly properties: Buffer;
}

/** @returns whether the client speaks AMQP 0-9-1, by the first eight bytes that it sends */
export function parseProtocolHeader(first: Buffer): boolean {
  return first.equals(PROTOCOL_HEADER) || first.equals(FORMER_HEADER);
}

/**
 * Divides a stream of bytes into frames. A frame that lies within one chunk is not copied: its
 * payload is a view of the chunk. One that came in parts is put together in memory that grows with
 * what has come, so an announced size alone costs nothing.
 */
export class FrameDecoder {
  /**
   * The largest frame in bytes, with its overhead. Payloads up to this size are taken: many clients
   * forget the overhead, and RabbitMQ lets them.
   */
  frameMax: number;
  #chunk = EMPTY;
  #at = 0;
  /** The beginning of a frame whose end has not come yet. */
  #part = EMPTY;
  #partLength = 0;

  constructor(frameMax: number) {
    this.frameMax = frameMax;
  }

  /**
   * Best called when `next` has returned null: what it left over is copied.
   *
   * @param chunk is kept, and must not change any more
   */
  push(chunk: Buffer): void {
    const hasRest = this.#at < this.#chunk.length;
    this.#chunk = hasRest ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  /**
   * @returns null until more bytes are pushed
   * @throws FramingError a size, type or end that no frame has; nothing can be read after it
   */
  next(): Frame | null {
    if (this.#partLength > 0) return this.#finishPart();
    const chunk = this.#chunk;
    const start = this.#at;
    const left = chunk.length - start;
    if (left >= FRAME_HEADER_SIZE) {
      const size = this.#readSize(chunk, start);
      if (left >= size) {
        this.#at = start + size;
        return readFrame(chunk, start, size);
      }
    }
    this.#keep(left);
    return null;
  }

  #finishPart(): Frame | null {
    // First what says the size, then the rest.
    if (!this.#fillPart(FRAME_HEADER_SIZE)) return null;
    const size = this.#readSize(this.#part, 0);
    if (!this.#fillPart(size)) return null;
    const part = this.#part;
    this.#part = EMPTY;
    this.#partLength = 0;
    return readFrame(part, 0, size);
  }

  /** @returns whether the part has `length` bytes now */
  #fillPart(length: number): boolean {
    const missing = length - this.#partLength;
    if (missing > 0) this.#keep(Math.min(missing, this.#chunk.length - this.#at));
    return this.#partLength >= length;
  }

  /** Moves so many bytes from the chunk to the part. */
  #keep(count: number): void {
    const length = this.#partLength + count;
    if (length > this.#part.length) {
      const room = Math.max(length, this.#part.length * 2, ROOM_MIN);
      const part = Buffer.allocUnsafe(room);
      this.#part.copy(part, 0, 0, this.#partLength);
      this.#part = part;
    }
    this.#chunk.copy(this.#part, this.#partLength, this.#at, this.#at + count);
    this.#partLength = length;
    this.#at += count;
    if (this.#at === this.#chunk.length) [this.#chunk, this.#at] = [EMPTY, 0];
  }

  /** @returns bytes of the whole frame */
  #readSize(bytes: Buffer, start: number): number {
    const type = bytes[start]!;
    if (!TYPES.has(type)) throw new FramingError(`there is no frame of type ${type}`);
    const size = bytes.readUInt32BE(start + 3);
    if (size > this.frameMax) {
      throw new FramingError(
        `a frame of ${size + FRAME_OVERHEAD} bytes is larger than frame_max, ${this.frameMax}`,
      );
    }
    return size + FRAME_OVERHEAD;
  }
}

function readFrame(bytes: Buffer, start: number, size: number): Frame {
  const end = start + size - 1;
  if (bytes[end] !== FRAME_END) {
    throw new FramingError(`a frame ends with the byte ${bytes[end]}, not with ${FRAME_END}`);
  }
  return {
    type: bytes[start] as FrameType,
    channel: bytes.readUInt16BE(start + 1),
    payload: bytes.subarray(start + FRAME_HEADER_SIZE, end),
  };
}

/**
 * @param payload of a content header frame
 * @throws AmqpSyntaxError it is too short, or announces more than 2^53 bytes
 */
export function decodeContentHeader(payload: Buffer): ContentHeader {
  const reader = new ByteReader(payload);
  const classId = reader.short();
  const weight = reader.short();
  if (weight !== 0) throw new AmqpSyntaxError(`a content header has the weight ${weight}, not 0`);
  const bodySize = reader.longlong();
  return { classId, bodySize, properties: payload.subarray(reader.at) };
}
