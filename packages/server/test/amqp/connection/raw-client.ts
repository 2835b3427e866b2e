/** A client that says exactly what it is told to, byte by byte if need be. */
import assert from 'node:assert/strict';
import { type Socket, connect } from 'node:net';
import type { TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  FRAME,
  type Frame,
  FRAME_END,
  FrameDecoder,
  PROTOCOL_HEADER,
} from '../../../src/protocols/amqp/frames.ts';
import {
  decodeMethod,
  encodeMethod,
  type Method,
  type MethodArguments,
  type MethodName,
} from '../../../src/protocols/amqp/methods.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';

/** How long a test waits for what must come. */
const PATIENCE_MS = 5_000;

/** What most clients can do. */
const CAPABILITIES = {
  authentication_failure_close: true,
  'basic.nack': true,
  'connection.blocked': true,
  consumer_cancel_notify: true,
};

export interface LoginOptions {
  readonly mechanism?: string;
  readonly user?: string;
  readonly password?: string;
  /** Instead of what PLAIN says. */
  readonly response?: Buffer;
  readonly vhost?: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly tune?: Partial<MethodArguments['connection.tune-ok']>;
}

export class RawClient {
  readonly socket: Socket;
  readonly #decoder = new FrameDecoder(2 ** 24);
  readonly #frames: Frame[] = [];
  #received = Buffer.alloc(0);
  #isGreeting = false;
  #changed: () => void = () => {};
  isClosed = false;
  heartbeatCount = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      // The answer to a version that is not spoken is no frame.
      if (this.#isGreeting) this.#received = Buffer.concat([this.#received, chunk]);
      else this.#decode(chunk);
      this.#changed();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      this.isClosed = true;
      this.#changed();
    });
  }

  static async connect(t: TestContext, port: number): Promise<RawClient> {
    return RawClient.over(t, connect(port, '127.0.0.1'), 'connect');
  }

  static async connectTls(t: TestContext, options: ConnectionOptions): Promise<RawClient> {
    return RawClient.over(t, connectTls({ host: '127.0.0.1', ...options }), 'secureConnect');
  }

  static async over(t: TestContext, socket: Socket, event: string): Promise<RawClient> {
    t.after(() => socket.destroy());
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once(event, () => resolve());
      socket.once('error', reject);
    });
    return client;
  }

  /** A client that has opened its connection. */
  static async open(t: TestContext, port: number, options: LoginOptions = {}): Promise<RawClient> {
    const client = await RawClient.connect(t, port);
    await client.logIn(options);
    await client.openVhost(options.vhost);
    return client;
  }

  /** The same, without waiting for an answer in between. */
  static async openAtOnce(t: TestContext, port: number): Promise<RawClient> {
    const client = await RawClient.connect(t, port);
    client.greet();
    client.startOk();
    client.method(0, 'connection.tune-ok', { channelMax: 10, frameMax: 131_072, heartbeat: 0 });
    client.method(0, 'connection.open', { virtualHost: '/' });
    for (const name of ['connection.start', 'connection.tune', 'connection.open-ok'] as const) {
      await client.expect(0, name);
    }
    return client;
  }

  send(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  frame(type: number, channel: number, payload: Buffer): void {
    this.send(frameOf(type, channel, payload));
  }

  method<Name extends MethodName>(
    channel: number,
    name: Name,
    args: Partial<MethodArguments[Name]> = {},
  ): void {
    this.frame(FRAME.method, channel, encodeMethod(name, args));
  }

  /** basic.publish with its content, in frames of at most so many bytes of payload. */
  publish(channel: number, routingKey: string, body: Buffer, bodyMax = 100_000): void {
    this.method(channel, 'basic.publish', { routingKey });
    this.header(channel, body.length);
    for (let at = 0; at < body.length; at += bodyMax) {
      this.frame(FRAME.body, channel, body.subarray(at, at + bodyMax));
    }
  }

  /** A content header without properties. */
  header(channel: number, bodySize: number, classId = 60): void {
    const payload = Buffer.alloc(14);
    payload.writeUInt16BE(classId, 0);
    payload.writeBigUInt64BE(BigInt(bodySize), 4);
    this.frame(FRAME.header, channel, payload);
  }

  greet(): void {
    this.send(PROTOCOL_HEADER);
  }

  /** As far as connection.tune, and its answer. */
  async logIn(options: LoginOptions = {}): Promise<MethodArguments['connection.tune']> {
    this.greet();
    await this.expect(0, 'connection.start');
    this.startOk(options);
    const offered = await this.expect(0, 'connection.tune');
    this.method(0, 'connection.tune-ok', { ...offered, heartbeat: 0, ...options.tune });
    return offered;
  }

  startOk({
    mechanism = 'PLAIN',
    user = 'guest',
    password = 'guest',
    response = Buffer.from(`\0${user}\0${password}`),
    capabilities = CAPABILITIES,
    properties = {},
  }: LoginOptions = {}): void {
    const clientProperties = tableOf({ product: 'raw', ...properties, capabilities });
    this.method(0, 'connection.start-ok', { clientProperties, mechanism, response });
  }

  async openVhost(virtualHost = '/'): Promise<void> {
    this.method(0, 'connection.open', { virtualHost });
    await this.expect(0, 'connection.open-ok');
  }

  async openChannel(channel: number): Promise<void> {
    this.method(channel, 'channel.open');
    await this.expect(channel, 'channel.open-ok');
  }

  /** The next frame, heartbeats left out. */
  async next(): Promise<Frame> {
    await this.#until(() => this.#frames.length > 0 || this.isClosed, 'a frame');
    const frame = this.#frames.shift();
    assert.ok(frame !== undefined, 'the connection was closed without another frame');
    return frame;
  }

  async nextMethod(): Promise<Method> {
    const { type, payload } = await this.next();
    assert.equal(type, FRAME.method);
    return decodeMethod(payload);
  }

  /** The arguments of the next method, which must be this one. */
  async expect<Name extends MethodName>(
    channel: number,
    name: Name,
  ): Promise<MethodArguments[Name]> {
    const frame = await this.next();
    assert.equal(frame.type, FRAME.method);
    const method = decodeMethod(frame.payload);
    const said = `${method.name} ${JSON.stringify(method.args)}`;
    assert.deepEqual([frame.channel, method.name], [channel, name], said);
    return method.args as MethodArguments[Name];
  }

  /** That the broker closes the connection with this, and then the socket once it is answered. */
  async expectClose(code: number, text: string | RegExp): Promise<void> {
    const { replyCode, replyText } = await this.expect(0, 'connection.close');
    if (typeof text === 'string') assert.equal(replyText, text);
    else assert.match(replyText, text);
    assert.equal(replyCode, code);
    this.method(0, 'connection.close-ok');
    await this.closed();
  }

  /** When so many have come since the beginning. */
  async heartbeats(count: number): Promise<void> {
    await this.#until(() => this.heartbeatCount >= count, `${count} heartbeats`);
  }

  /** What is not a frame: must be asked for before it can come. */
  async rawBytes(count: number): Promise<Buffer> {
    this.#isGreeting = true;
    await this.#until(() => this.#received.length >= count, `${count} bytes`);
    return this.#received;
  }

  /** When the broker has closed the socket. */
  async closed(patience: number = PATIENCE_MS): Promise<void> {
    await this.#until(() => this.isClosed, 'the end of the connection', patience);
  }

  /** That nothing has come by the time that an answer to something sent later has. */
  expectNothing(): void {
    assert.deepEqual(this.#frames, []);
  }

  #decode(chunk: Buffer): void {
    this.#decoder.push(chunk);
    for (let frame = this.#decoder.next(); frame !== null; frame = this.#decoder.next()) {
      if (frame.type === FRAME.heartbeat) this.heartbeatCount++;
      else this.#frames.push(frame);
    }
  }

  async #until(
    isThere: () => boolean,
    what: string,
    patience: number = PATIENCE_MS,
  ): Promise<void> {
    const deadline = Date.now() + patience;
    while (!isThere()) {
      const left = deadline - Date.now();
      assert.ok(left > 0, `${what} did not come within ${patience} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

export function frameOf(type: number, channel: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(payload.length + 8);
  frame[0] = type;
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(payload.length, 3);
  payload.copy(frame, 7);
  frame[frame.length - 1] = FRAME_END;
  return frame;
}
