/** Frames that are made once and copied, and a reader that looks only at what it needs. */
import { FrameWriter } from '../../packages/server/src/protocols/amqp/frame-writer.ts';
import { FRAME, FRAME_HEADER_SIZE } from '../../packages/server/src/protocols/amqp/frames.ts';
import {
  decodeMethod,
  type Method,
  type MethodArguments,
  type MethodName,
} from '../../packages/server/src/protocols/amqp/methods.ts';
import { encodeProperties } from '../../packages/server/src/protocols/amqp/properties.ts';
import type { Target } from './client.ts';

/** What both sides agree on; no message of a benchmark is as large. */
export const FRAME_MAX = 131_072;

const NUMBER_BYTES = 4;
const persistent = encodeProperties({ deliveryMode: 2 });
const filler = Buffer.alloc(64 * 1_024, 'wherry ');

export function methodFrame<N extends MethodName>(
  channel: number,
  name: N,
  args: Partial<MethodArguments[N]> = {},
): Buffer {
  const writer = new FrameWriter();
  writer.method(channel, name, args);
  return writer.take();
}

/** The frames of one message, to be copied as often as there are messages. */
export class MessageTemplate {
  readonly #frames: Buffer;
  readonly #numberAt: number;
  #tagAt = 0;

  private constructor(channel: number, method: Buffer, bytes: number) {
    const writer = new FrameWriter();
    writer.content(channel, persistent, filler.subarray(0, bytes), FRAME_MAX);
    this.#frames = Buffer.concat([method, writer.take()]);
    this.#numberAt = this.#frames.length - 1 - bytes;
  }

  static published(
    channel: number,
    { exchange, routingKey }: Target,
    bytes: number,
  ): MessageTemplate {
    const method = methodFrame(channel, 'basic.publish', { exchange, routingKey });
    return new MessageTemplate(channel, method, bytes);
  }

  static delivered(
    channel: number,
    consumerTag: string,
    queue: string,
    bytes: number,
  ): MessageTemplate {
    const args = { consumerTag, deliveryTag: 0, exchange: '', routingKey: queue };
    const template = new MessageTemplate(
      channel,
      methodFrame(channel, 'basic.deliver', args),
      bytes,
    );
    template.#tagAt = FRAME_HEADER_SIZE + 4 + 1 + consumerTag.length + 4;
    return template;
  }

  /** @returns messages with these numbers, their delivery tags from `firstTag` on */
  deliveries(numbers: readonly number[], firstTag: number): Buffer {
    const { length } = this.#frames;
    const bytes = Buffer.allocUnsafe(numbers.length * length).fill(this.#frames);
    for (const [i, number] of numbers.entries()) {
      bytes.writeUInt32BE(number, i * length + this.#numberAt);
      bytes.writeUInt32BE(firstTag + i, i * length + this.#tagAt);
    }
    return bytes;
  }

  /** @returns so many messages, numbered from `first` on */
  copies(first: number, count: number): Buffer {
    const { length } = this.#frames;
    const bytes = Buffer.allocUnsafe(count * length).fill(this.#frames);
    for (let i = 0; i < count; i++) bytes.writeUInt32BE(first + i, i * length + this.#numberAt);
    return bytes;
  }
}

const ACK_TAG_AT = FRAME_HEADER_SIZE + 4 + 4;

/** @returns one basic.ack for each tag, as a client sends them that acknowledges one by one */
export function ackFrames(template: Buffer, tags: readonly number[]): Buffer {
  const { length } = template;
  const bytes = Buffer.allocUnsafe(tags.length * length).fill(template);
  for (const [i, tag] of tags.entries()) bytes.writeUInt32BE(tag, i * length + ACK_TAG_AT);
  return bytes;
}

/** What `readFrames` tells. Tags are below 2^32. */
export interface FrameListener {
  /** basic.deliver; its body follows. */
  delivered(tag: number): void;
  /** The number in a body, and how long the body is. */
  body(number: number, channel: number, bytes: number): void;
  /** basic.ack, of either side. */
  acknowledged(tag: number, multiple: boolean, channel: number): void;
  /** Any other. */
  method(method: Method, channel: number): void;
}

const BASIC = 60;
const DELIVER = (BASIC << 16) | 60;
const ACK = (BASIC << 16) | 80;

/** @returns how many bytes whole frames take; the rest must come again, before what follows it */
export function readFrames(bytes: Buffer, listener: FrameListener): number {
  let at = 0;
  while (bytes.length - at >= FRAME_HEADER_SIZE) {
    const payload = at + FRAME_HEADER_SIZE;
    const end = payload + bytes.readUInt32BE(at + 3);
    if (end >= bytes.length) break;
    if (bytes[at] === FRAME.method) readMethod(bytes, at, end, listener);
    else if (bytes[at] === FRAME.body && end - payload >= NUMBER_BYTES) {
      const channel = bytes.readUInt16BE(at + 1);
      listener.body(bytes.readUInt32BE(payload), channel, end - payload);
    }
    at = end + 1;
  }
  return at;
}

function readMethod(bytes: Buffer, at: number, end: number, listener: FrameListener): void {
  const channel = bytes.readUInt16BE(at + 1);
  const payload = at + FRAME_HEADER_SIZE;
  const id = bytes.readUInt32BE(payload);
  const args = payload + 4;
  if (id === DELIVER) {
    const consumerTag = bytes[args]!;
    listener.delivered(bytes.readUInt32BE(args + 1 + consumerTag + 4));
  } else if (id === ACK) {
    listener.acknowledged(bytes.readUInt32BE(args + 4), (bytes[args + 8]! & 1) !== 0, channel);
  } else {
    listener.method(decodeMethod(bytes.subarray(payload, end)), channel);
  }
}
