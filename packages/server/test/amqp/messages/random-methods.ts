/** Methods as a client may send them, chosen and filled in at random. */
import {
  encodeMethod,
  type MethodArguments,
  type MethodName,
} from '../../../src/protocols/amqp/methods.ts';
import { METHODS } from '../../../src/protocols/amqp/method-table.ts';
import { encodeProperties, type Properties } from '../../../src/protocols/amqp/properties.ts';
import { FRAME, FRAME_END } from '../../../src/protocols/amqp/frames.ts';
import { type Table, tableOf } from '../../../src/protocols/amqp/table.ts';
import type { RandomNumber } from '../random.ts';

/** Those that a session begins with, and now and then others. */
const OWN_QUEUES: readonly string[] = ['f1', 'f2', 'f3', 'f4', 'f5'];
const OWN_EXCHANGES: readonly string[] = ['fx1', 'fx2', 'fx3'];
const QUEUES = ['', 'amq.rabbitmq.reply-to', 'amq.f', 'missing'];
const EXCHANGES = ['', 'amq.topic', 'amq.headers', 'amq.rabbitmq.trace', 'missing'];
const TYPES = ['direct', 'fanout', 'topic', 'headers', 'x-delayed-message', 'odd'];
const KEYS = ['', 'f1', 'f2', 'f3', 'a.b', '#', '*.b', 'amq.rabbitmq.reply-to', 'x'.repeat(255)];
/** How often each is sent. */
const WEIGHTS: Partial<Record<MethodName, number>> = {
  'queue.declare': 4,
  'queue.bind': 2,
  'queue.unbind': 2,
  'queue.purge': 2,
  'queue.delete': 1,
  'exchange.declare': 2,
  'exchange.delete': 1,
  'exchange.bind': 1,
  'exchange.unbind': 1,
  'basic.qos': 2,
  'basic.consume': 6,
  'basic.cancel': 2,
  'basic.get': 4,
  'basic.ack': 6,
  'basic.reject': 4,
  'basic.nack': 4,
  'basic.recover': 1,
  'basic.recover-async': 1,
  'confirm.select': 2,
  'tx.select': 1,
  'tx.commit': 1,
  'tx.rollback': 1,
  'channel.flow': 2,
  'basic.publish': 20,
};
const CHOICES = Object.entries(WEIGHTS).flatMap(([name, weight]) =>
  Array.from({ length: weight }, () => name as MethodName),
);
const SETTLES: ReadonlySet<MethodName> = new Set(['basic.ack', 'basic.reject', 'basic.nack']);

/** What the arguments are, by their names; the rest are left out. */
const VALUES: Readonly<Record<string, (one: RandomMethods) => unknown>> = {
  queue: (one) => one.of(one.maybe(20) ? QUEUES : OWN_QUEUES),
  exchange: (one) => one.exchange(),
  source: (one) => one.exchange(),
  destination: (one) => one.exchange(),
  routingKey: (one) => one.of(KEYS),
  consumerTag: (one) => one.of(TAGS),
  type: (one) => (one.maybe(10) ? one.of(TYPES) : 'topic'),
  deliveryTag: (one) => one.of([0, 1, 1_000, 2 ** 40]),
  prefetchCount: (one) => one.of([0, 1, 3, 50]),
  arguments: (one) => one.table(),
  passive: (one) => one.maybe(3),
  durable: (one) => !one.maybe(40),
  exclusive: (one) => one.maybe(20),
  autoDelete: (one) => one.maybe(40),
  internal: (one) => one.maybe(40),
  ifUnused: (one) => one.maybe(2),
  ifEmpty: (one) => one.maybe(2),
  nowait: (one) => one.maybe(3),
  noAck: (one) => one.maybe(2),
  multiple: (one) => one.maybe(3),
  global: (one) => one.maybe(2),
  requeue: (one) => !one.maybe(3),
  active: (one) => !one.maybe(5),
};

const TAGS = Array.from({ length: 40 }, (_, i) => (i < 20 ? '' : `c${i}`));
const NUMBERS = [-1, 0, 1, 2, 3, 10, 1_000, 2 ** 31, 2 ** 40];
const CONTENT_HEADER = 12;

/** What a queue's or an exchange's declaration may say, with values that may be right. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  'x-max-length': NUMBERS,
  'x-max-length-bytes': NUMBERS,
  'x-message-ttl': NUMBERS,
  'x-expires': [1, 20, 60_000, 'soon'],
  'x-overflow': ['drop-head', 'reject-publish', 'reject-publish-dlx', 'odd'],
  'x-dead-letter-exchange': [...EXCHANGES, ...OWN_EXCHANGES],
  'x-dead-letter-routing-key': KEYS,
  'x-max-priority': [0, 1, 10, 255, 256],
  'x-queue-type': ['classic', 'quorum', 'stream'],
  'x-single-active-consumer': [true, false, 1],
  'x-delivery-limit': [-1, 0, 1, 5],
  'x-delayed-type': TYPES,
  'alternate-exchange': OWN_EXCHANGES,
  'x-priority': NUMBERS,
  'x-match': ['all', 'any', 'any-with-x', 3],
  CC: [['f1', 'f2'], 'f1', [3], []],
  BCC: [['f3'], 'f3'],
  'x-delay': NUMBERS,
  'x-death': [[], 'none', [{ queue: 'f1', reason: 'expired', count: 3 }]],
  'x-deduplication-header': ['one', 'two', 3, ''],
  k: ['a', null, 2.5, { deep: [1] }],
};

export class RandomMethods {
  readonly #random: RandomNumber;

  constructor(random: RandomNumber) {
    this.#random = random;
  }

  /** What makes most of the others possible. @returns frames for the channel */
  declarations(channel: number): Buffer {
    const table = this.table();
    const of = { durable: true, nowait: true };
    return Buffer.concat([
      ...OWN_EXCHANGES.map((exchange) =>
        this.#method(channel, 'exchange.declare', { exchange, type: 'topic', ...of }),
      ),
      ...OWN_QUEUES.map((queue) =>
        this.#method(channel, 'queue.declare', { queue, ...of, arguments: table }),
      ),
    ]);
  }

  /** @param tag of a delivery that the client has in hand; 0: it has none @returns whole frames */
  next(channel: number, tag: number): Buffer {
    if (this.maybe(40)) return this.declarations(channel);
    const name = this.of(CHOICES);
    // To say something of a delivery that there is not is wrong, and would be nearly always.
    const isPublish = name === 'basic.publish' || (tag === 0 && SETTLES.has(name));
    if (isPublish) return this.#publish(channel, this.exchange(), this.of(KEYS));
    const args: Record<string, unknown> = {};
    const { arguments: wanted } = METHODS.find((method) => method.name === name)!;
    for (const [argument] of wanted) {
      const value = VALUES[argument]?.(this);
      args[argument] = argument === 'deliveryTag' && !this.maybe(40) ? tag : value;
    }
    return this.#method(channel, name, args);
  }

  #publish(channel: number, exchange: string, routingKey: string): Buffer {
    const args = { exchange, routingKey, mandatory: this.maybe(4), immediate: this.maybe(1_000) };
    const properties = encodeProperties(this.#properties());
    const header = Buffer.alloc(CONTENT_HEADER);
    const body = Buffer.alloc(this.of([0, 1, 9, 100, 5_000]), 'b');
    header.writeUInt16BE(60, 0);
    header.writeBigUInt64BE(BigInt(body.length), 4);
    const frames = [
      this.#method(channel, 'basic.publish', args),
      frame(FRAME.header, channel, Buffer.concat([header, properties])),
    ];
    if (body.length > 0) frames.push(frame(FRAME.body, channel, body));
    return Buffer.concat(frames);
  }

  #properties(): Properties {
    const all: Properties = {
      contentType: this.of(['text/plain', 'application/json', '']),
      headers: this.table(),
      deliveryMode: this.of([1, 2]),
      priority: this.of([0, 5, 255]),
      replyTo: this.maybe(10) ? 'amq.rabbitmq.reply-to' : 'f1',
      expiration: this.of(['0', '1', '10', '60000', this.maybe(10) ? 'soon' : '5']),
      userId: this.maybe(20) ? 'somebody' : 'guest',
      timestamp: this.of([0, 1_700_000_000]),
    };
    const kept = Object.entries(all).filter(() => this.maybe(5));
    return Object.fromEntries(kept) as Properties;
  }

  exchange(): string {
    if (!this.maybe(3)) return this.of(OWN_EXCHANGES);
    return this.maybe(10) ? this.of(EXCHANGES) : '';
  }

  table(): Table {
    if (!this.maybe(10)) return new Map();
    const fields: Record<string, unknown> = {};
    for (let i = this.#random(3); i >= 0; i--) {
      const name = this.of(Object.keys(ARGUMENTS));
      fields[name] = this.of(ARGUMENTS[name]!);
    }
    return tableOf(fields);
  }

  #method<N extends MethodName>(
    channel: number,
    name: N,
    args: Partial<MethodArguments[N]>,
  ): Buffer {
    return frame(FRAME.method, channel, encodeMethod(name, args));
  }

  of<T>(values: readonly T[]): T {
    return values[this.#random(values.length)] as T;
  }

  /** True once in so many times. */
  maybe(of: number): boolean {
    return this.#random(of) === 0;
  }
}

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(8 + payload.length);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  bytes.set(payload, 7);
  bytes[7 + payload.length] = FRAME_END;
  return bytes;
}
