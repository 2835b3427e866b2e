import { once, EventEmitter } from 'node:events';
import { MessageQueueSystem } from 'wherry';
import { ANONYMOUS_ADMIN } from '../../../src/access/identity.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import type { AmqpError } from '../../../src/protocols/amqp/errors.ts';
import { FRAME, FrameDecoder, decodeContentHeader } from '../../../src/protocols/amqp/frames.ts';
import { FrameWriter } from '../../../src/protocols/amqp/frame-writer.ts';
import {
  type Method,
  type MethodArguments,
  type MethodName,
  decodeMethod,
  hasContent,
} from '../../../src/protocols/amqp/methods.ts';
import {
  type Properties,
  decodeProperties,
  encodeProperties,
} from '../../../src/protocols/amqp/properties.ts';
import { createChannel } from '../../../src/servers/amqp/messages/channel.ts';
import type {
  AmqpContext,
  AmqpVhost,
  ChannelEnd,
  ChannelHost,
} from '../../../src/servers/amqp/contracts.ts';
import { makeVhost } from '../../../src/servers/amqp/definitions/vhost.ts';
import { AmqpTraffic } from '../../../src/telemetry/amqp-traffic.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';

/** What the broker has sent: a method, with its content if it has one. */
export interface Sent {
  readonly channel: number;
  readonly name: MethodName;
  readonly args: Method['args'];
  properties?: Properties;
  payload?: Buffer;
}

const DEADLINE_MS = 5_000;

/** A connection without a socket: what its channels write is decoded and kept. */
export class RecordedConnection {
  readonly sent: Sent[] = [];
  readonly vhost: AmqpVhost;
  readonly host: ChannelHost;
  held = 0;
  failure: AmqpError | null = null;
  mayDeliver = true;
  readonly #events = new EventEmitter();
  readonly #decoder = new FrameDecoder(1 << 20);
  readonly #drained = new Set<() => void>();
  #isScheduled = false;
  #missing = 0;

  constructor(broker: AmqpContext, vhost: AmqpVhost, options: { frameMax?: number } = {}) {
    this.vhost = vhost;
    const writer = new FrameWriter();
    const mayDeliver = (): boolean => this.mayDeliver;
    this.host = {
      connectionId: `test-${Math.floor(performance.now() * 1_000)}`,
      broker,
      vhost,
      identity: ANONYMOUS_ADMIN,
      user: 'guest',
      frameMax: options.frameMax ?? 131_072,
      clientCapabilities: new Set(['consumer_cancel_notify', 'basic.nack']),
      writer,
      flush: () => this.#flush(writer),
      get mayDeliver() {
        return mayDeliver();
      },
      onDrain: (listener) => {
        this.#drained.add(listener);
        return () => this.#drained.delete(listener);
      },
      hold: (bytes) => (this.held += bytes),
      release: (bytes) => (this.held -= bytes),
      bytesInHand: 0,
      reserve: () => {},
      transactionBytes: 0,
      consumers: new Set(),
      allows: () => true,
      require: () => {},
      fail: (error) => (this.failure = error),
      onClose: () => () => {},
    };
  }

  drain(): void {
    this.mayDeliver = true;
    for (const listener of this.#drained) listener();
  }

  channel(number = 1): RecordedChannel {
    return new RecordedChannel(number, this);
  }

  /** The next method that was sent on the channel, or the one that will be. */
  async next(channel: number): Promise<Sent> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    for (;;) {
      const at = this.sent.findIndex((one) => one.channel === channel && this.#isWhole(one));
      if (at >= 0) return this.sent.splice(at, 1)[0]!;
      await once(this.#events, 'sent', { signal: deadline });
    }
  }

  #isWhole(sent: Sent): boolean {
    return sent !== this.sent.at(-1) || this.#missing === 0;
  }

  #flush(writer: FrameWriter): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#decoder.push(writer.take());
      for (let frame = this.#decoder.next(); frame !== null; frame = this.#decoder.next()) {
        this.#receive(frame.type, frame.channel, frame.payload);
      }
      this.#events.emit('sent');
    });
  }

  #receive(type: number, channel: number, payload: Buffer): void {
    const last = this.sent.at(-1)!;
    if (type === FRAME.method) {
      const { name, args } = decodeMethod(payload);
      this.sent.push({ channel, name, args });
      this.#missing = hasContent(name) ? Infinity : 0;
    } else if (type === FRAME.header) {
      const { bodySize, properties } = decodeContentHeader(payload);
      last.properties = decodeProperties(properties, true);
      last.payload = Buffer.alloc(0);
      this.#missing = bodySize;
    } else {
      last.payload = Buffer.concat([last.payload!, payload]);
      this.#missing -= payload.length;
    }
  }
}

/** A channel of it, as a client uses it. */
export class RecordedChannel {
  readonly number: number;
  readonly end: ChannelEnd;
  readonly #connection: RecordedConnection;

  constructor(number: number, connection: RecordedConnection) {
    this.number = number;
    this.#connection = connection;
    this.end = createChannel(number, connection.host);
  }

  /** Sends a method. @throws AmqpError, or rejects with it */
  async send<N extends MethodName>(name: N, args: Partial<MethodArguments[N]> = {}): Promise<void> {
    await this.end.method({ name, args: { ...defaults(name), ...args } } as Method);
  }

  /** Sends a method and gives its answer. */
  async call<N extends MethodName>(name: N, args: Partial<MethodArguments[N]> = {}): Promise<Sent> {
    await this.send(name, args);
    return this.next(`${name}-ok`);
  }

  /** The next that is sent to the channel. @param name what it must be */
  async next(name?: string): Promise<Sent> {
    const sent = await this.#connection.next(this.number);
    if (name !== undefined && sent.name !== name) {
      throw new Error(`${sent.name} has come instead of ${name}`);
    }
    return sent;
  }

  publish(
    routingKey: string,
    payload: string | Buffer,
    options: Partial<MethodArguments['basic.publish']> & {
      /** Or as in a content header. */
      properties?: Properties | Buffer;
      frameSize?: number;
    } = {},
  ): void {
    const { properties = {}, frameSize = 1_000, ...args } = options;
    const body = Buffer.from(payload as string);
    const header = Buffer.alloc(12);
    header.writeUInt16BE(60, 0);
    header.writeUInt32BE(body.length, 8);
    const method = { exchange: '', mandatory: false, immediate: false, ticket: 0, ...args };
    void this.end.method({ name: 'basic.publish', args: { ...method, routingKey } });
    const raw = Buffer.isBuffer(properties) ? properties : encodeProperties(properties);
    void this.end.header(Buffer.concat([header, raw]));
    for (let at = 0; at < body.length; at += frameSize) {
      void this.end.body(body.subarray(at, at + frameSize));
    }
  }
}

/** As a decoder fills in what a client leaves out. */
function defaults(name: MethodName): object {
  const table = new Map();
  return {
    ticket: 0,
    queue: '',
    passive: false,
    durable: false,
    exclusive: false,
    autoDelete: false,
    nowait: false,
    noAck: false,
    noLocal: false,
    consumerTag: '',
    multiple: false,
    requeue: true,
    internal: false,
    global: false,
    prefetchSize: 0,
    prefetchCount: 0,
    routingKey: '',
    ifUnused: false,
    ifEmpty: false,
    ...(name.startsWith('exchange') && { type: 'direct' }),
    arguments: table,
  };
}

/** A virtual host, in memory if nothing else is said. The caller closes it. */
export async function openVhost(
  config: Parameters<typeof parseConfig>[0] = {},
  storage = 'memory:',
): Promise<{ broker: AmqpContext; vhost: AmqpVhost; close: () => Promise<void> }> {
  const mq = await MessageQueueSystem.open({ storage });
  const logger = createLogger({ level: 'silent', format: 'json', requests: false });
  const broker = {
    version: '0',
    instance: 'test',
    config: parseConfig(config),
    logger,
    telemetry: { countError: () => {} },
    traffic: new AmqpTraffic(),
  } as unknown as AmqpContext;
  const vhost = await makeVhost('/', mq, broker);
  const close = async (): Promise<void> => {
    await vhost.close();
    await mq.close();
  };
  return { broker, vhost, close };
}
