import { createServer, type Server, type Socket } from 'node:net';
import { FrameWriter } from '../../../src/protocols/amqp/frame-writer.ts';
import {
  decodeContentHeader,
  FRAME,
  type Frame,
  FrameDecoder,
  parseProtocolHeader,
} from '../../../src/protocols/amqp/frames.ts';
import { decodeMethod, encodeMethod, type Method } from '../../../src/protocols/amqp/methods.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';

const FRAME_MAX = 8192;

/** What a client sent in one frame. */
interface Recorded {
  readonly frame: Frame;
  /** Of a method frame. */
  readonly method: Method | null;
  /** Of a content header frame: flags and values. */
  readonly properties: Buffer | null;
}

export interface RecordingServer {
  readonly port: number;
  readonly recorded: readonly Recorded[];
  /** What could not be decoded, or is not encoded as the client did. */
  readonly failures: readonly string[];
  close(): Promise<void>;
}

/**
 * A server made of nothing but the codec: it agrees to everything, and every message that is
 * published comes back to the one consumer.
 */
export async function startRecordingServer(): Promise<RecordingServer> {
  const recorded: Recorded[] = [];
  const failures: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, recorded, failures);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    recorded,
    failures,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(socket: Socket, recorded: Recorded[], failures: string[]): void {
  const decoder = new FrameDecoder(FRAME_MAX);
  const writer = new FrameWriter();
  const answer = answersTo(writer);
  let greeting: Buffer | null = Buffer.alloc(0);
  // A client that goes away is the end of its recording, no failure.
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    try {
      let rest: Buffer = chunk;
      if (greeting !== null) {
        greeting = Buffer.concat([greeting, chunk]);
        if (greeting.length < 8) return;
        if (!parseProtocolHeader(greeting.subarray(0, 8))) failures.push('another protocol header');
        rest = greeting.subarray(8);
        greeting = null;
        writer.method(0, 'connection.start', {
          serverProperties: tableOf({ product: 'codec', capabilities: { 'basic.nack': true } }),
          mechanisms: Buffer.from('PLAIN AMQPLAIN'),
        });
      }
      decoder.push(rest);
      for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
        const one = record(frame, failures);
        recorded.push(one);
        answer(one);
      }
    } catch (error) {
      failures.push(String(error));
      socket.destroy();
    }
    if (writer.length > 0) socket.write(writer.take());
  });
}

function record(frame: Frame, failures: string[]): Recorded {
  const { type, payload } = frame;
  const method = type === FRAME.method ? decodeMethod(payload) : null;
  if (method !== null) {
    const encoded = encodeMethod(method.name, method.args);
    if (!encoded.equals(payload)) {
      failures.push(`${method.name}: ${payload.toString('hex')} became ${encoded.toString('hex')}`);
    }
  }
  const properties = type === FRAME.header ? decodeContentHeader(payload).properties : null;
  return { frame, method, properties };
}

/** @returns what writes the answer to each frame of one connection */
function answersTo(writer: FrameWriter): (one: Recorded) => void {
  let consumer = { tag: '', channel: 0 };
  let tag = 0;
  let published: { exchange: string; routingKey: string } | null = null;
  let expected = 0;
  let raw: Buffer = Buffer.alloc(0);
  let body: Buffer = Buffer.alloc(0);
  const comeBack = (channel: number): void => {
    const { exchange, routingKey } = published!;
    tag += 1;
    writer.ack(channel, tag, false);
    writer.deliver(consumer.channel, consumer.tag, tag, true, exchange, routingKey);
    writer.content(consumer.channel, raw, body, FRAME_MAX);
  };
  return ({ frame, method, properties }) => {
    const { channel, payload, type } = frame;
    if (method !== null) {
      if (method.name === 'basic.publish') published = method.args;
      else if (method.name === 'basic.consume')
        consumer = { tag: method.args.consumerTag || 'made-here', channel };
      answerMethod(writer, channel, method, consumer.tag);
    } else if (properties !== null) {
      expected = decodeContentHeader(payload).bodySize;
      raw = properties;
      body = Buffer.alloc(0);
    } else if (type === FRAME.body) {
      body = Buffer.concat([body, payload]);
    }
    if (method === null && type !== FRAME.heartbeat && body.length === expected) comeBack(channel);
  };
}

function answerMethod(
  writer: FrameWriter,
  channel: number,
  { name, args }: Method,
  consumerTag: string,
): void {
  switch (name) {
    case 'connection.start-ok':
      return writer.method(0, 'connection.tune', { channelMax: 100, frameMax: FRAME_MAX });
    case 'connection.open':
      return writer.method(0, 'connection.open-ok');
    case 'connection.close':
      return writer.method(0, 'connection.close-ok');
    case 'channel.open':
      return writer.method(channel, 'channel.open-ok');
    case 'channel.close':
      return writer.method(channel, 'channel.close-ok');
    case 'exchange.declare':
      return writer.method(channel, 'exchange.declare-ok');
    case 'queue.declare':
      return writer.method(channel, 'queue.declare-ok', { queue: args.queue, messageCount: 7 });
    case 'queue.bind':
      return writer.method(channel, 'queue.bind-ok');
    case 'basic.qos':
      return writer.method(channel, 'basic.qos-ok');
    case 'basic.consume':
      return writer.method(channel, 'basic.consume-ok', { consumerTag });
    case 'basic.cancel':
      return writer.method(channel, 'basic.cancel-ok', { consumerTag });
    case 'confirm.select':
      return writer.method(channel, 'confirm.select-ok');
    default:
      return undefined;
  }
}
