import { connect, type Socket } from 'node:net';
import { FRAME, FRAME_END, PROTOCOL_HEADER } from '../../../src/protocols/amqp/frames.ts';
import { encodeMethod } from '../../../src/protocols/amqp/methods.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import { frameOf } from './raw-client.ts';

/** So many connect at the same time. */
const AT_ONCE = 100;
const HEARTBEAT = Buffer.of(FRAME.heartbeat, 0, 0, 0, 0, 0, 0, FRAME_END);
/** connection.open-ok, whole. */
const OPEN_OK = frameOf(FRAME.method, 0, encodeMethod('connection.open-ok', {}));

/** Connections that are open, send heartbeats, and do nothing else. */
export class Crowd {
  readonly #sockets: Socket[] = [];
  readonly #timer: NodeJS.Timeout | undefined;
  /** What the broker has sent once they were open: heartbeats. */
  beats = 0;
  /** Connections that the broker has closed. */
  closed = 0;

  private constructor(heartbeat: number) {
    if (heartbeat === 0) return;
    this.#timer = setInterval(
      () => {
        for (const socket of this.#sockets) socket.write(HEARTBEAT);
      },
      (heartbeat * 1_000) / 2,
    );
  }

  /** @param heartbeat in seconds; 0: none */
  static async open(port: number, size: number, heartbeat: number): Promise<Crowd> {
    const crowd = new Crowd(heartbeat);
    const hello = helloOf(heartbeat);
    for (let i = 0; i < size; i += AT_ONCE) {
      const count = Math.min(AT_ONCE, size - i);
      await Promise.all(Array.from({ length: count }, () => crowd.#join(port, hello)));
    }
    return crowd;
  }

  leave(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.removeAllListeners('close').destroy();
  }

  #join(port: number, hello: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(hello));
      let received = Buffer.alloc(0);
      let isOpen = false;
      socket.on('data', (chunk: Buffer) => {
        if (isOpen) {
          this.beats += chunk.length / HEARTBEAT.length;
          return;
        }
        received = Buffer.concat([received, chunk]);
        if (!received.includes(OPEN_OK)) return;
        isOpen = true;
        this.#sockets.push(socket);
        resolve();
      });
      socket.on('error', reject);
      socket.on('close', () => {
        this.closed++;
        reject(new Error('The broker has closed the connection'));
      });
    });
  }
}

/** All that a client says until it is open, without waiting for an answer in between. */
export function helloOf(heartbeat: number): Buffer {
  return Buffer.concat([
    PROTOCOL_HEADER,
    ...[
      encodeMethod('connection.start-ok', {
        clientProperties: tableOf({ product: 'crowd' }),
        mechanism: 'PLAIN',
        response: Buffer.from('\0guest\0guest'),
      }),
      encodeMethod('connection.tune-ok', { channelMax: 10, frameMax: 131_072, heartbeat }),
      encodeMethod('connection.open', { virtualHost: '/' }),
    ].map((payload) => frameOf(FRAME.method, 0, payload)),
  ]);
}
