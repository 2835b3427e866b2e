import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { PROTOCOL_HEADER } from '../../packages/server/src/protocols/amqp/frames.ts';
import type {
  Method,
  MethodArguments,
  MethodName,
} from '../../packages/server/src/protocols/amqp/methods.ts';
import { tableOf } from '../../packages/server/src/protocols/amqp/table.ts';
import { InvalidRunError } from '../harness/delivery-check.ts';
import { FRAME_MAX, type FrameListener, methodFrame, readFrames } from './lean-frames.ts';

const EMPTY = Buffer.alloc(0);

/** A socket on which AMQP was greeted; what comes is told to whoever listens. */
export class LeanConnection {
  readonly #socket: Socket;
  #rest: Buffer = EMPTY;
  #answer: ((method: Method) => void) | null = null;
  #failed: (error: Error) => void = () => {};
  /** Rejects when the connection ends before it is closed. */
  readonly failure: Promise<never>;
  /** Called after each chunk. */
  afterChunk: () => void = () => {};
  readonly listener: FrameListener;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.failure = new Promise((_, reject) => (this.#failed = reject));
    this.failure.catch(() => {});
    this.listener = {
      delivered: () => {},
      body: () => {},
      acknowledged: () => {},
      method: (method) => this.#take(method),
    };
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.once('close', () => this.#failed(new Error('The server closed the connection.')));
    socket.once('error', (error) => this.#failed(error));
  }

  static async open(url: string): Promise<LeanConnection> {
    const { hostname, port, username, password } = new URL(url);
    const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    const connection = new LeanConnection(socket);
    const started = connection.#next();
    connection.write(PROTOCOL_HEADER);
    await started;
    const tuned = connection.#next();
    const capabilities = { 'basic.nack': true, publisher_confirms: true };
    connection.send(0, 'connection.start-ok', {
      clientProperties: tableOf({ product: 'lean', capabilities }),
      mechanism: 'PLAIN',
      response: Buffer.from(`\0${username || 'guest'}\0${password || 'guest'}`),
      locale: 'en_US',
    });
    const { args } = (await tuned) as { args: MethodArguments['connection.tune'] };
    const { channelMax } = args;
    connection.send(0, 'connection.tune-ok', { channelMax, frameMax: FRAME_MAX, heartbeat: 0 });
    await connection.call(0, 'connection.open', { virtualHost: '/' });
    return connection;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  send<N extends MethodName>(channel: number, name: N, args: Partial<MethodArguments[N]>): void {
    this.write(methodFrame(channel, name, args));
  }

  /** Sends a method and waits for what answers it. One at a time. */
  call<N extends MethodName>(
    channel: number,
    name: N,
    args: Partial<MethodArguments[N]>,
  ): Promise<Method> {
    const answer = this.#next();
    this.send(channel, name, args);
    return answer;
  }

  async close(): Promise<void> {
    await this.call(0, 'connection.close', { replyCode: 200, replyText: 'bye' });
    this.#socket.destroy();
  }

  #next(): Promise<Method> {
    const answer = new Promise<Method>((resolve) => (this.#answer = resolve));
    return Promise.race([answer, this.failure]);
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = bytes.subarray(readFrames(bytes, this.listener));
    this.afterChunk();
  }

  #take(method: Method): void {
    const answer = this.#answer;
    if (method.name === 'channel.close' || method.name === 'connection.close') {
      this.#failed(new Error(`The server closed: ${method.args.replyText}`));
    } else if (method.name === 'basic.nack') {
      this.#failed(new InvalidRunError('A message was refused.'));
    } else if (method.name === 'basic.cancel') {
      this.#failed(new InvalidRunError('The server cancelled a consumer.'));
    } else if (answer !== null) {
      this.#answer = null;
      answer(method);
    }
  }
}
