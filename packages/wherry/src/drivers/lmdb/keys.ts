/**
 * The keys of the tables: big-endian numbers, so that their byte order is the order wanted.
 * Each function fills a buffer of its own and returns it: a key is good until the same function
 * is called again, which spares an allocation per access. LMDB copies keys when it is called.
 */
import { createHash } from 'node:crypto';

/** Sequences stay below this, so that a priority and a sequence fit one number. */
export const SEQUENCE_LIMIT: number = 2 ** 45;

/** Ids of more bytes than this are stored as a digest. */
const TEXT_KEY_MAX = 64;
const DIGESTED = 255;

/** Where a message stands in its queue: the higher priority first, then by sequence. */
export function orderOf(priority: number, sequence: number): number {
  return (255 - priority) * SEQUENCE_LIMIT + sequence;
}

export function priorityOf(order: number): number {
  return 255 - Math.floor(order / SEQUENCE_LIMIT);
}

export function sequenceOf(order: number): number {
  return order % SEQUENCE_LIMIT;
}

export function put32(target: Uint8Array, value: number, at: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

export function put48(target: Uint8Array, value: number, at: number): void {
  const high = Math.floor(value / 0x100000000);
  target[at] = high >>> 8;
  target[at + 1] = high;
  put32(target, value >>> 0, at + 2);
}

export function get32(source: Uint8Array, at: number): number {
  return (
    source[at]! * 0x1000000 + ((source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!)
  );
}

export function get48(source: Uint8Array, at: number): number {
  return (source[at]! * 0x100 + source[at + 1]!) * 0x100000000 + get32(source, at + 2);
}

/** @returns makers of (queue, priority, sequence) keys, for `messages` */
export function messageKeyMaker(): (queue: number, priority: number, sequence: number) => Buffer {
  const key = Buffer.alloc(11);
  return (queue, priority, sequence) => {
    put32(key, queue, 0);
    key[4] = 255 - priority;
    put48(key, sequence, 5);
    return key;
  };
}

/** @returns makers of (queue, due, sequence) keys, for `scheduled` */
export function scheduledKeyMaker(): (queue: number, due: number, sequence: number) => Buffer {
  const key = Buffer.alloc(16);
  return (queue, due, sequence) => {
    put32(key, queue, 0);
    put48(key, due, 4);
    put48(key, sequence, 10);
    return key;
  };
}

/** @returns makers of (queue, space, sequence) keys, for `places` */
export function placeKeyMaker(): (queue: number, space: number, sequence: number) => Buffer {
  const key = Buffer.alloc(11);
  return (queue, space, sequence) => {
    put32(key, queue, 0);
    key[4] = space;
    put48(key, sequence, 5);
    return key;
  };
}

/** @returns makers of (expiresAt, queue, sequence) keys, for `expiry` */
export function expiryKeyMaker(): (expiresAt: number, queue: number, sequence: number) => Buffer {
  const key = Buffer.alloc(16);
  return (expiresAt, queue, sequence) => {
    put48(key, expiresAt, 0);
    put32(key, queue, 6);
    put48(key, sequence, 10);
    return key;
  };
}

/**
 * (queue, text) keys: of groups and of deduplication records. The length goes first, so that no
 * key is the beginning of another's.
 */
export function textKey(queue: number, text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length <= TEXT_KEY_MAX) {
    const key = Buffer.allocUnsafe(5 + length);
    put32(key, queue, 0);
    key[4] = length;
    key.write(text, 5);
    return key;
  }
  const key = Buffer.allocUnsafe(5 + 32);
  put32(key, queue, 0);
  key[4] = DIGESTED;
  createHash('sha256').update(text).digest().copy(key, 5);
  return key;
}

/** (queue, group, sequence): a group's key and one of its members. */
export function memberKey(group: Uint8Array, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(group.length + 6);
  key.set(group);
  put48(key, sequence, group.length);
  return key;
}

/** (time, queue, text), for forgetting deduplication records. */
export function timedKey(time: number, textKeyBytes: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(6 + textKeyBytes.length);
  put48(key, time, 0);
  key.set(textKeyBytes, 6);
  return key;
}

export function numberKey(number: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  put32(key, number, 0);
  return key;
}

export function number48Key(number: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  put48(key, number, 0);
  return key;
}

export function idKey(id: string): Buffer {
  return Buffer.from(id, 'hex');
}
