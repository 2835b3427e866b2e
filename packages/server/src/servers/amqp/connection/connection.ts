import type { Socket } from 'node:net';
import { MessageQueueError } from 'wherry';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import {
  FRAME,
  type Frame,
  FrameDecoder,
  PROTOCOL_HEADER,
} from '../../../protocols/amqp/frames.ts';
import { decodeMethod, type Method, methodIds } from '../../../protocols/amqp/methods.ts';
import { Channels } from './channels.ts';
import type { AmqpConnectionInfo, ListedConnection } from './connections.ts';
import type { AmqpVhost } from '../contracts.ts';
import type { ConnectionParts } from './connection-parts.ts';
import { describeClient, describeSession, describeSocket } from './describe-connection.ts';
import { type ClientInfo, Handshake, LoginRefusedError, type Opened } from './handshake.ts';
import { type Greeted, Greeting } from './greeting.ts';
import { Heartbeat } from './heartbeat.ts';
import { Output } from './output.ts';
import { PublishAlarm } from './publish-alarm.ts';
import { Reading } from './reading.ts';
import { Rights } from './rights.ts';
import { Session } from './session.ts';
import type { Tune } from './tune.ts';

/** Longest frame until it is agreed on: nothing before that needs more. */
const FIRST_FRAME_MAX = 8_192;
/** How long a client may take to answer that it has seen the connection closed. */
const CLOSE_MS = 5_000;
/** How long what is left is read and dropped, so that what we sent is not lost with it. */
const LINGER_MS = 1_000;

type State = 'header' | 'handshake' | 'running' | 'closing' | 'deaf' | 'closed';

/** One client's connection, from its first byte to its last. */
export class AmqpConnection implements ListedConnection {
  readonly id: string;
  readonly alarm: PublishAlarm;
  readonly #parts: ConnectionParts;
  readonly #socket: Socket;
  readonly #since = Date.now();
  readonly #decoder = new FrameDecoder(FIRST_FRAME_MAX);
  readonly #reading: Reading;
  readonly #output: Output;
  readonly #handshake: Handshake;
  /** Remembered, because a socket that has closed does not know it any more. */
  readonly #remote: { readonly address: string; readonly port: number };
  #state: State = 'header';
  #greeting: Greeting | null = new Greeting();
  #client: ClientInfo = { shown: describeClient({}), capabilities: new Set() };
  #tune: Tune = { channelMax: 0, frameMax: FIRST_FRAME_MAX, heartbeat: 0 };
  #heartbeat: Heartbeat | null = null;
  #session: Session | null = null;
  #channels: Channels | null = null;
  #rights: Rights | null = null;
  /** Until it must have come as far as it should. */
  #deadline: NodeJS.Timeout;
  #ending: Promise<void> | null = null;
  #isClosedByClient = false;

  constructor(parts: ConnectionParts) {
    const { id, socket, broker, vhosts } = parts;
    this.#parts = parts;
    this.id = id;
    this.#socket = socket;
    this.#remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    this.#reading = new Reading(socket, () => this.#pump());
    this.#output = new Output(socket, {
      unreadMax: broker.config.limits.unreadBytes,
      clogged: (isClogged) => {
        this.#reading[isClogged ? 'pause' : 'resume']('unread');
        if (!isClogged) this.#channels?.goOn();
      },
      abandoned: () => this.#cut('The client does not read what it asked for'),
      stallMax: parts.stallMax,
    });
    this.alarm = new PublishAlarm({
      output: this.#output,
      reading: this.#reading,
      mayTell: () =>
        this.#state === 'running' && this.#client.capabilities.has('connection.blocked'),
      reason: parts.alarm,
    });
    this.#handshake = new Handshake({
      broker,
      vhosts,
      socket,
      output: this.#output,
      introduced: (client) => (this.#client = client),
      tuned: (tune) => this.#tuned(tune),
      opened: (opened) => this.#opened(opened),
    });
    this.#deadline = setTimeout(
      () => this.#cut('The client has not logged in in time'),
      broker.config.amqp.handshakeTimeout,
    );
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    // 'close' comes behind it.
    socket.on('error', (error) => this.#log('debug', { err: error }, 'A socket failed'));
    // The socket closes by itself when all that was written has been read: this client may never.
    socket.once('end', () => this.#until(LINGER_MS, () => socket.destroy()));
    socket.once('close', () => this.#closed());
  }

  get channelCount(): number {
    return this.#channels?.size ?? 0;
  }

  /** Null until it has been opened. */
  get vhost(): AmqpVhost | null {
    return this.#session?.vhost ?? null;
  }

  describe(): AmqpConnectionInfo {
    return {
      id: this.id,
      protocol: 'amqp',
      remoteAddress: this.#remote.address,
      remotePort: this.#remote.port,
      since: this.#since,
      state: this.#shownState(),
      ...describeSession(this.#session),
      ...this.#client.shown,
      channels: this.#channels?.describe() ?? [],
      heartbeat: this.#tune.heartbeat,
      frameMax: this.#tune.frameMax,
      ...describeSocket(this.#socket),
    };
  }

  forceClose(reason: string): void {
    this.#fail(new AmqpError('connection-forced', reason));
  }

  /** Takes no more from the client, lets what it has published be stored, then closes. */
  async shutDown(reason: string): Promise<void> {
    this.#reading.pause('closing');
    await this.#session?.stored();
    this.forceClose(reason);
  }

  /** Resolves when nothing of it holds anything of its virtual host any more. */
  sessionEnded(): Promise<void> {
    return this.#endSession();
  }

  #shownState(): AmqpConnectionInfo['state'] {
    if (this.#state === 'header' || this.#state === 'handshake') return 'starting';
    if (this.#state !== 'running') return 'closing';
    return this.#reading.isPausedFor('blocked') ? 'blocked' : 'running';
  }

  #received(chunk: Buffer): void {
    this.#heartbeat?.received();
    if (this.#greeting !== null) {
      const greeted = this.#greeting.read(chunk);
      if (greeted !== null) this.#greeted(greeted);
    } else if (this.#isListening) this.#decoder.push(chunk);
    this.#pump();
  }

  #greeted({ isUnderstood, rest }: Greeted): void {
    this.#greeting = null;
    if (isUnderstood) {
      this.#state = 'handshake';
      this.#decoder.push(rest);
      this.#handshake.begin();
    } else {
      // Which version we speak is all there is to say.
      this.#socket.write(PROTOCOL_HEADER);
      this.#leave();
    }
  }

  #pump(): void {
    try {
      while (!this.#reading.isPaused && this.#isListening) {
        const frame = this.#decoder.next();
        if (frame === null) return;
        this.#frame(frame);
      }
    } catch (error) {
      // Where the next frame begins is not known any more.
      if (error instanceof AmqpError && error.reply === 'frame-error') this.#failForGood(error);
      else this.#failed(error);
    }
  }

  get #isListening(): boolean {
    return this.#state === 'handshake' || this.#state === 'running' || this.#state === 'closing';
  }

  #frame(frame: Frame): void {
    if (frame.channel !== 0) {
      if (this.#state === 'closing') return;
      if (frame.type === FRAME.heartbeat) {
        throw new AmqpError('unexpected-frame', 'a heartbeat belongs on channel 0');
      }
      if (this.#state === 'running') this.#channels!.receive(frame);
      else throw new AmqpError('unexpected-frame', `there is no channel ${frame.channel} yet`);
    } else if (frame.type === FRAME.method) {
      this.#method(decodeMethod(frame.payload));
    } else if (frame.type !== FRAME.heartbeat && this.#state !== 'closing') {
      throw new AmqpError('unexpected-frame', 'channel 0 has no content');
    }
  }

  #method(method: Method): void {
    if (method.name === 'connection.close') void this.#closedByClient();
    else if (this.#state === 'closing') {
      if (method.name === 'connection.close-ok') this.#leave();
    } else if (this.#state === 'handshake') {
      this.#wait(this.#handshake.method(method));
    } else if (method.name === 'connection.update-secret') {
      this.#wait(this.#updateSecret(method.args.newSecret));
    } else {
      throw new AmqpError('channel-error', 'unexpected method in connection state running', {
        method: methodIds(method.name),
      });
    }
  }

  /** Reads on when something has been found out about the user. */
  #wait(work: void | Promise<void>): void {
    if (work === undefined) return;
    this.#reading.pause('login');
    work
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#reading.resume('login'));
  }

  #tuned(tune: Tune): void {
    this.#tune = tune;
    this.#decoder.frameMax = tune.frameMax;
    this.#heartbeat = new Heartbeat({
      seconds: tune.heartbeat,
      beat: () => this.#output.beat(),
      isListening: () => !this.#reading.isPaused,
      lost: () => this.#cut(`Nothing was heard of the client for ${2 * tune.heartbeat} s`),
    });
  }

  #opened({ vhost, tune, ...login }: Opened): void {
    // The socket may have closed while the virtual host was opened.
    if (this.#state !== 'handshake') return;
    clearTimeout(this.#deadline);
    this.#state = 'running';
    const { broker, budget, createChannel } = this.#parts;
    const session = new Session({
      connectionId: this.id,
      broker,
      vhost,
      login,
      frameMax: tune.frameMax,
      clientCapabilities: this.#client.capabilities,
      output: this.#output,
      reading: this.#reading,
      budget,
      fail: (error, channel) => {
        const isOfChannel = error.scope === 'channel' && channel !== undefined;
        if (isOfChannel) this.#channels?.fail(channel, error);
        else this.#fail(error);
      },
    });
    this.#session = session;
    this.#channels = new Channels({
      session,
      reading: this.#reading,
      create: createChannel,
      channelMax: tune.channelMax,
      publishing: () => this.alarm.publishing(),
      failed: (error) => this.#failed(error),
    });
    this.#log('debug', { user: login.user, vhost: vhost.name }, 'A connection was opened');
    this.#rights = new Rights({
      access: broker.access,
      session,
      address: this.#remote.address,
      changed: () => this.#channels?.rightsChanged(),
      lost: (reason) => this.forceClose(reason),
    });
    this.#rights.watch();
  }

  async #updateSecret(secret: Buffer): Promise<void> {
    await this.#rights!.update(secret.toString());
    this.#output.writer.method(0, 'connection.update-secret-ok', {});
    this.#output.flush();
  }

  #failed(error: unknown): void {
    if (error instanceof AmqpError) {
      this.#fail(error);
      return;
    }
    this.#parts.broker.telemetry.countError(error);
    this.#log('error', { err: error }, 'A connection failed');
    // Of our own errors the words are for others; of those of the language they are for us.
    const explanation = error instanceof MessageQueueError ? error.message : 'unexpected error';
    this.#fail(new AmqpError('internal-error', explanation));
  }

  /** Closes, and tells the client why if it has logged in. */
  #fail(error: AmqpError): void {
    if (this.#state === 'closed' || this.#state === 'closing' || this.#state === 'deaf') return;
    const mayBeTold =
      error instanceof LoginRefusedError
        ? this.#client.capabilities.has('authentication_failure_close')
        : this.#handshake.isLoggedIn;
    const level = error.reply === 'connection-forced' ? 'info' : 'warn';
    this.#log(level, { code: error.code, reason: error.message }, 'A connection is closed');
    if (!mayBeTold) {
      this.#state = 'deaf';
      this.#socket.destroy();
      return;
    }
    this.#output.writer.method(0, 'connection.close', {
      replyCode: error.code,
      replyText: error.message,
      ...(error.method ?? { classId: 0, methodId: 0 }),
    });
    // Before whoever has closed it hears that it is closed.
    this.#output.send();
    this.#beginClosing();
  }

  #failForGood(error: AmqpError): void {
    this.#fail(error);
    this.#leave();
  }

  /**
   * Answered when all that was the connection's has gone. Then the client closes the socket; several
   * of its threads may have asked at the same time, and each waits for an answer.
   */
  async #closedByClient(): Promise<void> {
    if (this.#state !== 'closing') this.#beginClosing();
    await this.#endSession();
    this.#output.writer.method(0, 'connection.close-ok', {});
    this.#output.flush();
    if (this.#isClosedByClient) return;
    this.#isClosedByClient = true;
    this.#until(LINGER_MS, () => this.#leave());
  }

  #beginClosing(): void {
    this.#state = 'closing';
    this.#heartbeat?.stop();
    this.#rights?.stop();
    this.#reading.free();
    this.#until(CLOSE_MS, () => this.#leave());
    void this.#endSession();
  }

  /** All is said: the socket is closed as soon as that has been sent. */
  #leave(): void {
    if (this.#state === 'closed') return;
    this.#state = 'deaf';
    this.#output.end();
    this.#reading.free();
    this.#until(LINGER_MS, () => this.#socket.destroy());
  }

  #until(ms: number, then: () => void): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(then, ms);
  }

  /** Its channels and what is its own, once. */
  #endSession(): Promise<void> {
    this.#ending ??= (async (): Promise<void> => {
      await this.#channels?.end();
      await this.#session?.end();
    })();
    return this.#ending;
  }

  /** Without a word: nobody would hear it. */
  #cut(reason: string): void {
    this.#log('warn', { reason }, 'A connection was cut');
    this.#socket.destroy();
  }

  #closed(): void {
    this.#state = 'closed';
    clearTimeout(this.#deadline);
    this.#heartbeat?.stop();
    this.#rights?.stop();
    void this.#endSession().then(() => this.#parts.ended(this.id));
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', fields: object, message: string): void {
    const { address, port } = this.#remote;
    const { logger } = this.#parts.broker;
    logger[level]({ connection: this.id, address, port, ...fields }, message);
  }
}
