/** Valid methods in any order: whatever comes, there is an answer, and the broker goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import amqplib from 'amqplib';
import type { Broker } from '../../../src/index.ts';
import {
  FRAME,
  type Frame,
  FrameDecoder,
  PROTOCOL_HEADER,
} from '../../../src/protocols/amqp/frames.ts';
import { decodeMethod, encodeMethod, type Method } from '../../../src/protocols/amqp/methods.ts';
import { REPLY } from '../../../src/protocols/amqp/reply-codes.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { startBroker } from '../../broker.ts';
import { numbersFrom } from '../random.ts';
import { frame, RandomMethods } from './random-methods.ts';

const METHODS = Number(process.env['WHERRY_TEST_AMQP_METHODS'] ?? 20_000);
const SEED = Number(process.env['WHERRY_TEST_SEED'] ?? Date.now() % 1_000_000);
const CHANNELS = [1, 2, 3, 4];
/** On it is asked whether all that came before was read. */
const PROBE = 9;
const BATCH = 50;
const PATIENCE_MS = 10_000;

let broker: Broker;
const complaints: string[] = [];

before(async () => {
  const stream = new Writable({
    write: (line, _encoding, done) => {
      complaints.push(String(line));
      done();
    },
  });
  const logger = createLogger({ level: 'error', format: 'json', requests: false }, stream);
  broker = await startBroker({ amqp: { port: 0 } }, { logger });
});
after(() => broker.close());

/** A client that opens again what the broker closes. */
class Rambler {
  readonly codes = new Map<number, string>();
  readonly #tags = new Map<number, number[]>();
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(2 ** 24);
  #probed: () => void = () => {};
  isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk);
      for (let next = this.#decoder.next(); next !== null; next = this.#decoder.next()) {
        this.#take(next);
      }
    });
    socket.once('close', () => {
      this.isClosed = true;
      this.#probed();
    });
  }

  static async open(port: number): Promise<Rambler> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.setNoDelay(true);
    const rambler = new Rambler(socket);
    socket.write(PROTOCOL_HEADER);
    rambler.#method(0, 'connection.start-ok', { response: Buffer.from('\0guest\0guest') });
    const tune = { channelMax: 10, frameMax: 131_072, heartbeat: 0 };
    rambler.#method(0, 'connection.tune-ok', tune);
    rambler.#method(0, 'connection.open', { virtualHost: '/' });
    for (const channel of [...CHANNELS, PROBE]) rambler.#method(channel, 'channel.open', {});
    return rambler;
  }

  write(bytes: Buffer): void {
    if (!this.isClosed) this.#socket.write(bytes);
  }

  /** Resolves when the broker has read what was written, or has closed the connection. */
  async probe(): Promise<void> {
    if (this.isClosed) return;
    const read = new Promise<void>((resolve) => (this.#probed = resolve));
    this.#method(PROBE, 'basic.qos', {});
    const late = setTimeout(() => this.#socket.destroy(), PATIENCE_MS);
    await read;
    clearTimeout(late);
  }

  /** Of a delivery that the channel has said nothing about; 0: there is none. */
  nextTag(channel: number): number {
    return this.#tagsOf(channel).shift() ?? 0;
  }

  leave(): void {
    this.#socket.destroy();
  }

  #take({ type, channel, payload }: Frame): void {
    if (type !== FRAME.method) return;
    const method = decodeMethod(payload);
    if (method.name === 'basic.qos-ok' && channel === PROBE) this.#probed();
    else if (method.name === 'basic.deliver' || method.name === 'basic.get-ok') {
      this.#tagsOf(channel).push(method.args.deliveryTag);
    } else if (method.name === 'channel.close') {
      this.#note(method.args);
      this.#tags.delete(channel);
      this.#method(channel, 'channel.close-ok', {});
      this.#method(channel, 'channel.open', {});
    } else if (method.name === 'connection.close') {
      this.#note(method.args);
      this.#method(0, 'connection.close-ok', {});
    }
  }

  #tagsOf(channel: number): number[] {
    let tags = this.#tags.get(channel);
    if (tags === undefined) this.#tags.set(channel, (tags = []));
    return tags;
  }

  #note({ replyCode, replyText }: { replyCode: number; replyText: string }): void {
    this.codes.set(replyCode, replyText);
  }

  #method<N extends Method['name']>(
    channel: number,
    name: N,
    args: Parameters<typeof encodeMethod<N>>[1],
  ): void {
    this.write(frame(FRAME.method, channel, encodeMethod(name, args)));
  }
}

test(`${METHODS} methods at random (seed ${SEED})`, async (t) => {
  const random = numbersFrom(SEED);
  const methods = new RandomMethods(random);
  let rambler: Rambler | null = null;
  t.after(() => rambler?.leave());
  const codes = new Map<number, string>();
  for (let sent = 0; sent < METHODS; sent += BATCH) {
    if (rambler === null || rambler.isClosed) {
      rambler = await Rambler.open(broker.amqpPort!);
      rambler.write(methods.declarations(CHANNELS[0]!));
    }
    for (let i = 0; i < BATCH; i++) {
      const channel = CHANNELS[random(CHANNELS.length)]!;
      rambler.write(methods.next(channel, rambler.nextTag(channel)));
    }
    await rambler.probe();
    for (const [code, text] of rambler.codes) codes.set(code, text);
  }
  assert.equal(codes.get(REPLY['internal-error']), undefined);
  assert.equal(codes.get(REPLY['frame-error']), undefined);
  assert.equal(codes.get(REPLY['syntax-error']), undefined);
  assert.deepEqual(complaints, []);
  // What was asked for makes sense often enough to be refused for more than one reason.
  for (const name of ['not-found', 'precondition-failed', 'access-refused'] as const) {
    assert.ok(codes.has(REPLY[name]), `no ${name} in ${[...codes.keys()].join()}`);
  }
});

test('then a client works as ever', async () => {
  const connection = await amqplib.connect(`amqp://127.0.0.1:${broker.amqpPort}`);
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('after-the-fuzz');
  for (let i = 0; i < 100; i++) channel.sendToQueue(queue, Buffer.from(String(i)));
  await channel.waitForConfirms();
  const got: string[] = [];
  await new Promise<void>((resolve) => {
    void channel.consume(queue, (message) => {
      got.push(String(message!.content));
      channel.ack(message!);
      if (got.length === 100) resolve();
    });
  });
  assert.deepEqual(
    got,
    Array.from({ length: 100 }, (_, i) => String(i)),
  );
  await connection.close();
});
