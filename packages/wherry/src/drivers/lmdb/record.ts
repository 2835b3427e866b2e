/**
 * How a message is stored: a fixed header, then what only some messages have, then the body.
 *
 *      0  checksum     u32   CRC-32 of all other bytes, begun with the queue and the sequence,
 *                            so that a record under another's key is found out too
 *      4  format       u8    RECORD_FORMAT
 *      5  flags        u8
 *      6  encoding     u8    index into ENCODINGS
 *      7  priority     u8
 *      8  timestamp    u48
 *     14  availableAt  u48
 *     20  expiresAt    u48   0: none
 *     26  retryCount   u32
 *     30  deliveryCount u32
 *     34  bytes        u32   what it counts towards maxBytes
 *     38  extrasLength u32
 *     42  id           16    with HAS_ID: it cannot be told from the sequence
 *         publishId    16    with HAS_PUBLISH_ID: it is not the id
 *         extras       JSON  properties, deaths, ... : what most messages do without
 *         body               the rest
 */
import { checksumOf } from './checksum.ts';
import {
  isTextual,
  type MessageProperties,
  NEVER,
  type PayloadEncoding,
} from '../../core/driver.ts';
import type { Death, NewDeath } from '../../core/message.ts';
import { get32, get48, put32, put48 } from './keys.ts';

const RECORD_FORMAT = 1;
const HEADER_LENGTH = 42;
const CHECKSUM_LENGTH = 4;

/** The body is text in which each character is one byte. */
const ASCII = 1;
/** The body is text that UTF-8 cannot hold: it has half a surrogate pair. */
const UTF16 = 2;
const HAS_ID = 4;
const HAS_PUBLISH_ID = 8;
const SUSPECT = 16;
/** It was found damaged before and written again as it was. */
const DAMAGED = 32;
/** In `scheduled`: its group waits for it (a back-off); else its first delay is not over. */
const BLOCKS_GROUP = 64;
/** `lasts` may name it: it was never leased, unless that was after this was written. */
const REPLACEABLE = 128;

const ENCODINGS: readonly PayloadEncoding[] = ['json', 'text', 'bytes', 'amqp'];

/** A message as its record tells it. Its sequence is in the key. */
export interface StoredRecord {
  readonly encoding: PayloadEncoding;
  readonly priority: number;
  readonly timestamp: number;
  readonly availableAt: number;
  readonly expiresAt: number | null;
  readonly retryCount: number;
  readonly deliveryCount: number;
  readonly bytes: number;
  /** Null when it follows from the timestamp and the sequence. */
  readonly id: string | null;
  /** Null when it is the message's own id. */
  readonly publishId: string | null;
  readonly suspect: boolean;
  readonly damaged: boolean;
  readonly blocksGroup: boolean;
  readonly isReplaceable: boolean;
  readonly properties: MessageProperties | null;
  readonly groupId: string | null;
  readonly deduplicationId: string | null;
  readonly deaths: readonly Death[];
  readonly parked: NewDeath | null;
  readonly body: string | Uint8Array;
}

/** The extras as they are in the JSON: short names, for they are stored with every message. */
interface Extras {
  p?: MessageProperties;
  g?: string;
  u?: string;
  d?: readonly Death[];
  k?: NewDeath;
}

/** A buffer that is used again for each record. LMDB reads from `start` to `end`. */
export interface ValueBuffer extends Buffer {
  start: number;
  end: number;
}

let scratch = makeScratch(64 * 1024);
const SCRATCH_KEPT_MAX = 1024 * 1024;

function makeScratch(size: number): ValueBuffer {
  return Object.assign(Buffer.allocUnsafeSlow(size), { start: 0, end: 0 });
}

function checksum(bytes: Uint8Array, end: number, queue: number, sequence: number): number {
  const seed = (sequence ^ Math.imul(queue, 0x9e3779b1)) >>> 0;
  return checksumOf(bytes, CHECKSUM_LENGTH, end, seed);
}

function extrasOf(record: StoredRecord): string {
  const { properties, groupId, deduplicationId, deaths, parked } = record;
  if (
    properties === null &&
    groupId === null &&
    deduplicationId === null &&
    deaths.length === 0 &&
    parked === null
  ) {
    return '';
  }
  const extras: Extras = {};
  if (properties !== null) extras.p = properties;
  if (groupId !== null) extras.g = groupId;
  if (deduplicationId !== null) extras.u = deduplicationId;
  if (deaths.length > 0) extras.d = deaths;
  if (parked !== null) extras.k = parked;
  return JSON.stringify(extras);
}

/**
 * Writes a record.
 * @param queue the queue's number; with the sequence it goes into the checksum
 * @returns the bytes, good until the next call
 */
export function encodeRecord(record: StoredRecord, queue: number, sequence: number): ValueBuffer {
  const { body } = record;
  const extras = extrasOf(record);
  const extrasLength = extras === '' ? 0 : Buffer.byteLength(extras);
  let flags =
    (record.id === null ? 0 : HAS_ID) |
    (record.publishId === null ? 0 : HAS_PUBLISH_ID) |
    (record.suspect ? SUSPECT : 0) |
    (record.damaged ? DAMAGED : 0) |
    (record.blocksGroup ? BLOCKS_GROUP : 0) |
    (record.isReplaceable ? REPLACEABLE : 0);
  let bodyLength = body.length;
  if (typeof body === 'string') {
    bodyLength = Buffer.byteLength(body);
    if (bodyLength === body.length) flags |= ASCII;
    else if (/\p{Surrogate}/u.test(body)) {
      flags |= UTF16;
      bodyLength = body.length * 2;
    }
  }
  const most = HEADER_LENGTH + 32 + extrasLength + bodyLength;
  if (most > scratch.byteLength || scratch.byteLength > SCRATCH_KEPT_MAX) {
    scratch = makeScratch(Math.max(most, 64 * 1024));
  }
  const out = scratch;
  out[4] = RECORD_FORMAT;
  out[5] = flags;
  out[6] = ENCODINGS.indexOf(record.encoding);
  out[7] = record.priority;
  put48(out, record.timestamp, 8);
  put48(out, Math.min(record.availableAt, NEVER), 14);
  put48(out, record.expiresAt ?? 0, 20);
  put32(out, record.retryCount, 26);
  put32(out, record.deliveryCount, 30);
  put32(out, record.bytes, 34);
  put32(out, extrasLength, 38);
  let at = HEADER_LENGTH;
  if (record.id !== null) at += out.write(record.id, at, 'hex');
  if (record.publishId !== null) at += out.write(record.publishId, at, 'hex');
  if (extrasLength > 0) at += out.write(extras, at);
  if (typeof body !== 'string') out.set(body, at);
  else if ((flags & ASCII) !== 0) out.write(body, at, 'latin1');
  else out.write(body, at, (flags & UTF16) !== 0 ? 'utf16le' : 'utf8');
  out.end = at + bodyLength;
  put32(out, checksum(out, out.end, queue, sequence), 0);
  return out;
}

function readExtras(bytes: Buffer, at: number, length: number): Extras | null {
  if (length === 0) return {};
  try {
    const extras: unknown = JSON.parse(bytes.toString('utf8', at, at + length));
    return typeof extras === 'object' && extras !== null ? extras : null;
  } catch {
    return null;
  }
}

/**
 * Reads a record. What it returns shares no memory with `bytes`.
 * @returns null when not even the header makes sense. A wrong checksum alone gives a record with
 *   `damaged: true`, its body as the bytes found.
 */
export function decodeRecord(
  bytes: Uint8Array,
  queue: number,
  sequence: number,
): StoredRecord | null {
  const { length } = bytes;
  if (length < HEADER_LENGTH || bytes[4] !== RECORD_FORMAT) return null;
  const source = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, length);
  const flags = source[5]!;
  const encoding = ENCODINGS[source[6]!];
  const extrasLength = get32(source, 38);
  let at = HEADER_LENGTH;
  let id: string | null = null;
  let publishId: string | null = null;
  if ((flags & HAS_ID) !== 0) id = source.toString('hex', at, (at += 16));
  if ((flags & HAS_PUBLISH_ID) !== 0) publishId = source.toString('hex', at, (at += 16));
  if (encoding === undefined || at + extrasLength > length) return null;
  const extras = readExtras(source, at, extrasLength);
  if (extras === null) return null;
  at += extrasLength;
  const damaged =
    (flags & DAMAGED) !== 0 || get32(source, 0) !== checksum(source, length, queue, sequence);
  const availableAt = get48(source, 14);
  const expiresAt = get48(source, 20);
  return {
    encoding: damaged ? 'bytes' : encoding,
    priority: source[7]!,
    timestamp: get48(source, 8),
    availableAt,
    expiresAt: expiresAt === 0 ? null : expiresAt,
    retryCount: get32(source, 26),
    deliveryCount: get32(source, 30),
    bytes: get32(source, 34),
    id,
    publishId,
    suspect: (flags & SUSPECT) !== 0,
    damaged,
    blocksGroup: (flags & BLOCKS_GROUP) !== 0,
    isReplaceable: (flags & REPLACEABLE) !== 0,
    properties: extras.p ?? null,
    groupId: extras.g ?? null,
    deduplicationId: extras.u ?? null,
    deaths: extras.d ?? [],
    parked: extras.k ?? null,
    body: damaged ? copyOf(source, at, length) : readBody(source, at, length, flags, encoding),
  };
}

function copyOf(source: Buffer, start: number, end: number): Uint8Array {
  return Uint8Array.prototype.slice.call(source, start, end);
}

/** Memory of its own for each small one would cost more than the copy. */
function pooledCopyOf(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  source.copy(copy, 0, start, end);
  return copy;
}

function readBody(
  source: Buffer,
  start: number,
  end: number,
  flags: number,
  encoding: PayloadEncoding,
): string | Uint8Array {
  // Who reads it takes it apart, and hands on a view of a part.
  if (encoding === 'amqp') return pooledCopyOf(source, start, end);
  if (!isTextual(encoding)) return copyOf(source, start, end);
  if ((flags & ASCII) !== 0) return source.toString('latin1', start, end);
  return source.toString((flags & UTF16) !== 0 ? 'utf16le' : 'utf8', start, end);
}
