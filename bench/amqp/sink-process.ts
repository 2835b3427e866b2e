/**
 * Speaks just enough AMQP for the clients of the benchmark, keeps messages in memory and confirms
 * at once: how fast a client is when the server costs next to nothing.
 */
import { createServer, type Socket } from 'node:net';
import { PROTOCOL_HEADER } from '../../packages/server/src/protocols/amqp/frames.ts';
import type { Method } from '../../packages/server/src/protocols/amqp/methods.ts';
import { tableOf } from '../../packages/server/src/protocols/amqp/table.ts';
import type { Served } from '../workloads/broker.ts';
import { FRAME_MAX, MessageTemplate, methodFrame, readFrames } from './lean-frames.ts';

/** Numbers of waiting messages, and who waits for more. */
interface Queue {
  waiting: number[];
  /** How many of `waiting` are gone. */
  taken: number;
  bytes: number;
  feed: () => void;
}

interface Channel {
  published: number;
  /** Whether publishes came that are not confirmed yet. */
  isBehind: boolean;
  routingKey: string;
  prefetch: number;
  delivered: number;
  unacknowledged: number;
  queue: Queue | null;
}

const queues = new Map<string, Queue>();

function queueOf(name: string): Queue {
  let queue = queues.get(name);
  if (queue === undefined) {
    queue = { waiting: [], taken: 0, bytes: 0, feed: () => {} };
    queues.set(name, queue);
  }
  return queue;
}

function newChannel(): Channel {
  const none = { published: 0, isBehind: false, routingKey: '', prefetch: 0 };
  return { ...none, delivered: 0, unacknowledged: 0, queue: null };
}

class SinkConnection {
  readonly #socket: Socket;
  readonly #channels = new Map<number, Channel>();
  #rest: Buffer = Buffer.alloc(0);
  #isGreeted = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk)).on('error', () => {});
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#isGreeted && bytes.length >= PROTOCOL_HEADER.length) {
      this.#isGreeted = true;
      bytes = bytes.subarray(PROTOCOL_HEADER.length);
      const capabilities = { publisher_confirms: true, 'basic.nack': true };
      const start = {
        versionMajor: 0,
        versionMinor: 9,
        serverProperties: tableOf({ product: 'sink', capabilities }),
        mechanisms: Buffer.from('PLAIN'),
        locales: Buffer.from('en_US'),
      };
      this.#socket.write(methodFrame(0, 'connection.start', start));
    }
    const listener = {
      delivered: () => {},
      body: (number: number, channel: number, size: number) => this.#body(number, channel, size),
      acknowledged: (_: number, __: boolean, channel: number) => {
        this.#channel(channel).unacknowledged--;
      },
      method: (method: Method, channel: number) => this.#method(method, channel),
    };
    this.#rest = bytes.subarray(readFrames(bytes, listener));
    this.#confirm();
    for (const { queue } of this.#channels.values()) queue?.feed();
  }

  #channel(number: number): Channel {
    let channel = this.#channels.get(number);
    if (channel === undefined) this.#channels.set(number, (channel = newChannel()));
    return channel;
  }

  #body(number: number, channelNumber: number, bytes: number): void {
    const channel = this.#channel(channelNumber);
    const queue = queueOf(channel.routingKey);
    queue.waiting.push(number);
    queue.bytes = bytes;
  }

  #confirm(): void {
    for (const [number, channel] of this.#channels) {
      if (!channel.isBehind) continue;
      channel.isBehind = false;
      queueOf(channel.routingKey).feed();
      const args = { deliveryTag: channel.published, multiple: true };
      this.#socket.write(methodFrame(number, 'basic.ack', args));
    }
  }

  #deliverFrom(name: string, number: number, consumerTag: string): void {
    const channel = this.#channel(number);
    const queue = queueOf(name);
    let template: MessageTemplate | null = null;
    channel.queue = queue;
    queue.feed = () => {
      const room = channel.prefetch - channel.unacknowledged;
      const left = queue.waiting.length - queue.taken;
      if (room <= 0 || left === 0) return;
      template ??= MessageTemplate.delivered(number, consumerTag, name, queue.bytes);
      const numbers = queue.waiting.slice(queue.taken, queue.taken + room);
      queue.taken += numbers.length;
      if (queue.taken === queue.waiting.length) [queue.waiting, queue.taken] = [[], 0];
      this.#socket.write(template.deliveries(numbers, channel.delivered + 1));
      channel.delivered += numbers.length;
      channel.unacknowledged += numbers.length;
    };
  }

  #stopFeeding(number: number): void {
    const channel = this.#channel(number);
    if (channel.queue !== null) channel.queue.feed = () => {};
    channel.queue = null;
  }

  #method(method: Method, number: number): void {
    const answer = (frame: Buffer): void => void this.#socket.write(frame);
    switch (method.name) {
      case 'basic.publish': {
        const channel = this.#channel(number);
        channel.published++;
        channel.isBehind = true;
        channel.routingKey = method.args.routingKey;
        return;
      }
      case 'connection.start-ok':
        return answer(
          methodFrame(0, 'connection.tune', { channelMax: 2_047, frameMax: FRAME_MAX }),
        );
      case 'connection.open':
        return answer(methodFrame(0, 'connection.open-ok'));
      case 'connection.close':
        this.#socket.end(methodFrame(0, 'connection.close-ok'));
        return;
      case 'channel.open':
        this.#channels.set(number, newChannel());
        return answer(methodFrame(number, 'channel.open-ok', { channelId: Buffer.alloc(0) }));
      case 'channel.close':
        this.#channels.delete(number);
        return answer(methodFrame(number, 'channel.close-ok'));
      case 'confirm.select':
        return answer(methodFrame(number, 'confirm.select-ok'));
      case 'basic.qos':
        this.#channel(number).prefetch = method.args.prefetchCount;
        return answer(methodFrame(number, 'basic.qos-ok'));
      case 'basic.consume': {
        const consumerTag = method.args.consumerTag || 'sink';
        answer(methodFrame(number, 'basic.consume-ok', { consumerTag }));
        return this.#deliverFrom(method.args.queue, number, consumerTag);
      }
      case 'basic.cancel':
        this.#stopFeeding(number);
        return answer(methodFrame(number, 'basic.cancel-ok', method.args));
      case 'queue.declare': {
        const { queue } = method.args;
        const { waiting, taken } = queueOf(queue);
        const messageCount = waiting.length - taken;
        return answer(methodFrame(number, 'queue.declare-ok', { queue, messageCount }));
      }
      case 'queue.delete':
        queues.delete(method.args.queue);
        return answer(methodFrame(number, 'queue.delete-ok'));
      default:
    }
  }
}

const server = createServer({ noDelay: true }, (socket) => void new SinkConnection(socket));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  process.send!({ url: `amqp://guest:guest@127.0.0.1:${port}/` } satisfies Served);
});
process.once('disconnect', () => process.exit());
