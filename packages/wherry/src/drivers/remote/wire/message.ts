/** Messages: the hot path, so written by hand. What only some have, a bit says. */
import {
  isTextual,
  type LeasedMessage,
  type MessageProperties,
  type NewMessage,
  type PayloadEncoding,
  type StoredMessage,
  type SweptMessage,
} from '../../../core/driver.ts';
import type { Death, Lease, MessageState, NewDeath } from '../../../core/message.ts';
import { type Reader, WireError, type Writer } from './bytes.ts';
import { amount, type Codec, isObject, json, number, oneOf, repeated, text } from './codec.ts';

const PRIORITY_MAX = 255;
const NO_DEATHS: readonly Death[] = Object.freeze([]);

/** A queue's or consumer's name, which all messages of a frame mostly share. */
const name: Codec<string> = repeated(text);
const encoding: Codec<PayloadEncoding> = oneOf(['json', 'text', 'bytes', 'amqp']);
const state: Codec<MessageState> = oneOf(['ready', 'scheduled', 'leased']);
const properties: Codec<MessageProperties> = json(isObject);
const deaths: Codec<readonly Death[]> = json(
  (value) => Array.isArray(value) && value.every(isObject),
);
export const newDeath: Codec<NewDeath> = json(isObject);
const fence: Codec<NonNullable<NewMessage['fence']>> = json(
  (value) => isObject(value) && typeof value.key === 'string' && Number.isFinite(value.value),
);

/** Which optional parts of a message follow. */
const HAS = {
  properties: 1,
  groupId: 2,
  deduplicationId: 4,
  deaths: 8,
  bytes: 16,
  // Of a message that is not stored yet.
  id: 32,
  delay: 64,
  deliverAt: 128,
  ttl: 256,
  deduplicationWindow: 512,
  keepLast: 1024,
  keepLastValue: 2048,
  fence: 4096,
  // Of one that is.
  publishId: 32,
  availableAt: 64,
  expiresAt: 128,
  parked: 256,
  lease: 512,
  damaged: 1024,
  damagedValue: 2048,
} as const;

function has(bits: number, part: keyof typeof HAS): boolean {
  return (bits & HAS[part]) !== 0;
}

function writeBody(out: Writer, body: string | Uint8Array): void {
  if (typeof body === 'string') out.text(body);
  else out.bytes(body);
}

function readBody(from: Reader, bits: number): string | Uint8Array {
  return has(bits, 'bytes') ? from.bytes() : from.text();
}

/** What a message has before and after it is stored. */
type Content = Pick<
  StoredMessage,
  'encoding' | 'bytes' | 'priority' | 'properties' | 'groupId' | 'deduplicationId' | 'body'
>;

function contentBits(content: Content): number {
  return (
    (content.properties === null ? 0 : HAS.properties) |
    (content.groupId === null ? 0 : HAS.groupId) |
    (content.deduplicationId === null ? 0 : HAS.deduplicationId) |
    (typeof content.body === 'string' ? 0 : HAS.bytes)
  );
}

function writeContent(out: Writer, content: Content): void {
  encoding.write(out, content.encoding);
  out.varint(content.bytes);
  out.u8(content.priority);
  if (content.properties !== null) properties.write(out, content.properties);
  if (content.groupId !== null) name.write(out, content.groupId);
  if (content.deduplicationId !== null) out.text(content.deduplicationId);
  writeBody(out, content.body);
}

function readContent(from: Reader, bits: number): Content {
  return {
    encoding: encoding.read(from),
    bytes: from.varint(),
    priority: from.u8(),
    properties: has(bits, 'properties') ? properties.read(from) : null,
    groupId: has(bits, 'groupId') ? name.read(from) : null,
    deduplicationId: has(bits, 'deduplicationId') ? from.text() : null,
    body: readBody(from, bits),
  };
}

export const newMessage: Codec<NewMessage> = {
  write: (out, message) => {
    const { id, delay, deliverAt, ttl, deduplicationWindow, keepLast } = message;
    const bits =
      contentBits(message) |
      (id === undefined ? 0 : HAS.id) |
      (delay === 0 ? 0 : HAS.delay) |
      (deliverAt === null ? 0 : HAS.deliverAt) |
      (ttl === null ? 0 : HAS.ttl) |
      (deduplicationWindow === undefined ? 0 : HAS.deduplicationWindow) |
      (keepLast === undefined ? 0 : HAS.keepLast) |
      (keepLast === true ? HAS.keepLastValue : 0) |
      (message.fence === undefined ? 0 : HAS.fence) |
      (message.deaths === undefined ? 0 : HAS.deaths);
    if (message.priority > PRIORITY_MAX) throw new RangeError(`priority is ${message.priority}.`);
    out.varint(bits);
    writeContent(out, message);
    if (id !== undefined) out.text(id);
    if (delay !== 0) out.f64(delay);
    if (deliverAt !== null) out.f64(deliverAt);
    if (ttl !== null) out.f64(ttl);
    if (deduplicationWindow !== undefined) out.f64(deduplicationWindow);
    if (message.fence !== undefined) fence.write(out, message.fence);
    if (message.deaths !== undefined) deaths.write(out, message.deaths);
  },
  read: (from) => {
    const bits = from.varint();
    const content = readContent(from, bits);
    // A stored one may have it, from a damaged record.
    if (isTextual(content.encoding) && typeof content.body !== 'string') {
      throw new WireError('A body');
    }
    // Every field, in the order in which they were written: objects of one shape are fast.
    return {
      encoding: content.encoding,
      body: content.body,
      bytes: content.bytes,
      properties: content.properties,
      priority: content.priority,
      groupId: content.groupId,
      deduplicationId: content.deduplicationId,
      id: has(bits, 'id') ? from.text() : undefined,
      delay: has(bits, 'delay') ? amount.read(from) : 0,
      deliverAt: has(bits, 'deliverAt') ? number.read(from) : null,
      ttl: has(bits, 'ttl') ? amount.read(from) : null,
      deduplicationWindow: has(bits, 'deduplicationWindow') ? amount.read(from) : undefined,
      keepLast: has(bits, 'keepLast') ? has(bits, 'keepLastValue') : undefined,
      fence: has(bits, 'fence') ? fence.read(from) : undefined,
      ...(has(bits, 'deaths') && { deaths: deaths.read(from) }),
    };
  },
};

const lease: Codec<Lease> = {
  write: (out, { consumerId, token, until }) => {
    name.write(out, consumerId);
    out.f64(token);
    out.f64(until);
  },
  read: (from) => ({
    consumerId: name.read(from),
    token: number.read(from),
    until: number.read(from),
  }),
};

export const storedMessage: Codec<StoredMessage> = {
  write: (out, message) => {
    const { id, publishId, timestamp, availableAt, expiresAt, parked } = message;
    const { damaged } = message as Partial<LeasedMessage>;
    const bits =
      contentBits(message) |
      (message.deaths.length === 0 ? 0 : HAS.deaths) |
      (publishId === id ? 0 : HAS.publishId) |
      (availableAt === timestamp ? 0 : HAS.availableAt) |
      (expiresAt === null ? 0 : HAS.expiresAt) |
      (parked === null ? 0 : HAS.parked) |
      (message.lease === null ? 0 : HAS.lease) |
      (damaged === undefined ? 0 : HAS.damaged) |
      (damaged === true ? HAS.damagedValue : 0);
    out.varint(bits);
    out.text(id);
    name.write(out, message.queueName);
    out.varint(message.sequence);
    out.f64(timestamp);
    out.varint(message.retryCount);
    out.varint(message.deliveryCount);
    state.write(out, message.state);
    writeContent(out, message);
    if (publishId !== id) out.text(publishId);
    if (availableAt !== timestamp) out.f64(availableAt);
    if (expiresAt !== null) out.f64(expiresAt);
    if (message.deaths.length > 0) deaths.write(out, message.deaths);
    if (parked !== null) newDeath.write(out, parked);
    if (message.lease !== null) lease.write(out, message.lease);
  },
  read: (from) => {
    const bits = from.varint();
    const id = from.text();
    const queueName = name.read(from);
    const sequence = from.varint();
    const timestamp = number.read(from);
    const retryCount = from.varint();
    const deliveryCount = from.varint();
    const presentState = state.read(from);
    const content = readContent(from, bits);
    return {
      id,
      publishId: has(bits, 'publishId') ? from.text() : id,
      queueName,
      sequence,
      encoding: content.encoding,
      body: content.body,
      bytes: content.bytes,
      properties: content.properties,
      priority: content.priority,
      groupId: content.groupId,
      deduplicationId: content.deduplicationId,
      timestamp,
      availableAt: has(bits, 'availableAt') ? number.read(from) : timestamp,
      expiresAt: has(bits, 'expiresAt') ? number.read(from) : null,
      retryCount,
      deliveryCount,
      deaths: has(bits, 'deaths') ? deaths.read(from) : NO_DEATHS,
      parked: has(bits, 'parked') ? newDeath.read(from) : null,
      state: presentState,
      lease: has(bits, 'lease') ? lease.read(from) : null,
      ...(has(bits, 'damaged') && { damaged: has(bits, 'damagedValue') }),
    };
  },
};

export const leasedMessage: Codec<LeasedMessage> = {
  write: (out, message) => storedMessage.write(out, message),
  read: (from) => {
    const message = storedMessage.read(from);
    if (message.lease === null) throw new WireError('A lease');
    return message as LeasedMessage;
  },
};

const cause: Codec<SweptMessage['cause']> = oneOf(['lease-expired', 'expired']);

/** With the number of its queue. */
export const sweptMessage: Codec<SweptMessage & { readonly queue: number }> = {
  write: (out, message) => {
    leasedMessage.write(out, message);
    cause.write(out, message.cause);
    out.varint(message.queue);
  },
  read: (from) => ({ ...leasedMessage.read(from), cause: cause.read(from), queue: from.varint() }),
};
