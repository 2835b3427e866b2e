import type { Driver, Housekeeper } from '../../core/driver.ts';
import { StorageError } from '../../core/errors.ts';
import type { Channel } from './channel.ts';
import { checkHostLimits, type HostLimits } from './host-limits.ts';
import { type AcceptOptions, HostSession, type SessionHost } from './host-session.ts';
import { KnownQueues } from './known-queues.ts';
import { after, every, monotonic } from './timers.ts';
import { Reader, WireError } from './wire/bytes.ts';
import { toFailure } from './wire/errors.ts';
import { FrameStream } from './wire/frame-stream.ts';
import {
  FRAME,
  frameOf,
  GREETING_MAX,
  type Hello,
  PROTOCOL_VERSION,
  readHello,
  refusal,
  welcome,
} from './wire/frames.ts';

export interface StoreHostOptions {
  readonly driver: Driver;
  /** Told what clients make that will be due: left out, nobody sweeps in time. */
  readonly housekeeper?: Housekeeper | undefined;
  readonly limits?: Partial<HostLimits> | undefined;
  /** Kinds of topology entries that clients neither see nor change. */
  readonly hiddenKinds?: readonly string[] | undefined;
}

/** What is known of a client, for people. */
export interface HostedClient {
  readonly client: string;
  readonly isConnected: boolean;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly calls: number;
  readonly callsUnderWay: number;
  /** Messages in the hands of its handlers. */
  readonly held: number;
  readonly followedQueues: readonly number[];
}

/** Whoever has not said who it is by then is no client. Milliseconds. */
const GREETING_MAX_MS = 10_000;
/** A process of this machine that lives comes back in this time. Milliseconds. */
const LOCAL_GRACE_MS = 1_000;
/** How often silent connections are looked for, and those that wait. Milliseconds. */
const CHECK_MS = 1_000;
const RELIEF_MS = 20;
/** So many of a client's beats without a word, and its connection is dead. */
const QUIET_BEATS = 4;
const HEARTBEAT_MAX_MS = 60_000;
/** How long calls under way may take when the host ends. Milliseconds. */
const CLOSE_MAX_MS = 5_000;

/** The client is told why, and reads it before the channel ends. */
class RefusedError extends WireError {}

/** Serves an open store to other processes. */
export class StoreHost implements SessionHost {
  readonly driver: Driver;
  readonly housekeeper: Housekeeper | undefined;
  readonly limits: HostLimits;
  readonly hiddenKinds: ReadonlySet<string>;
  readonly queues: KnownQueues;
  underWay: number = 0;
  readonly #sessions = new Map<string, HostSession>();
  readonly #greeting = new Set<Channel>();
  readonly #followers = new Map<number, Set<HostSession>>();
  /** How to stop waiting for those that have no connection. */
  readonly #stopWaiting = new Map<HostSession, () => void>();
  /** Made to wait. */
  readonly #paused = new Set<HostSession>();
  readonly #stop: (() => void)[];
  #stopRelief: (() => void) | null = null;
  #isClosed = false;

  constructor(options: StoreHostOptions) {
    this.driver = options.driver;
    this.housekeeper = options.housekeeper;
    this.limits = checkHostLimits(options.limits);
    this.hiddenKinds = new Set(options.hiddenKinds);
    this.queues = new KnownQueues(this.driver);
    this.#stop = [
      this.queues.stop,
      this.driver.notifier.subscribe((queueNumber, what) => {
        for (const session of this.#followers.get(queueNumber) ?? []) {
          session.addNews(queueNumber, what);
        }
      }),
      this.driver.topology.watch((change) => {
        for (const session of this.#sessions.values()) session.addChange(change);
      }),
      every(CHECK_MS, () => this.#cutSilent()),
    ];
    const isFollowed = (queueNumber: number): boolean => this.#followers.has(queueNumber);
    if (this.housekeeper !== undefined) this.#stop.push(this.housekeeper.askForUse(isFollowed));
  }

  /** Those that are here, or may come back. */
  clients(): HostedClient[] {
    return [...this.#sessions.values()].map((session) => ({
      client: session.options.client ?? '',
      isConnected: session.channel !== null,
      since: session.since,
      calls: session.calls,
      callsUnderWay: session.callsUnderWay,
      held: session.held.size,
      followedQueues: session.followedQueues,
    }));
  }

  /** Serves a client until its channel closes. */
  accept(channel: Channel, options: AcceptOptions = {}): void {
    if (this.#isClosed) {
      channel.destroy();
      return;
    }
    let session: HostSession | null = null;
    const frames = new FrameStream(GREETING_MAX);
    const stopGreeting = after(GREETING_MAX_MS, () => channel.destroy(), { keepAlive: false });
    this.#greeting.add(channel);
    const receive = (type: number, payload: Uint8Array): void => {
      if (session === null) {
        if (type !== FRAME.hello) throw new WireError('The first frame');
        this.#greeting.delete(channel);
        stopGreeting();
        session = this.#greet(channel, readHello(new Reader(payload)), options);
        frames.frameBytesMax = this.limits.frameBytes;
      } else if (session.channel === channel && session.receive(type, payload)) this.drop(session);
    };
    channel.onBytes = (bytes) => {
      if (this.#isClosed) return;
      try {
        frames.push(bytes, receive);
        if (session?.channel === channel) session.heard(frames.hasBegun);
        if (session !== null) this.#relieve(session);
      } catch (error) {
        // One that was refused is told why.
        if (!(error instanceof RefusedError)) channel.destroy();
        if (session !== null) this.drop(session);
        // Whatever a client sends, it is not the end of the others.
        if (!(error instanceof WireError)) process.emitWarning(error as Error);
      }
    };
    channel.onClose = () => {
      stopGreeting();
      this.#greeting.delete(channel);
      if (session?.channel === channel) this.#lost(session);
    };
  }

  /** Takes no more calls, waits until those under way are answered, and closes all channels. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#stop) stop();
    for (const channel of this.#greeting) channel.destroy();
    this.#stopRelief?.();
    for (const stop of this.#stopWaiting.values()) stop();
    const sessions = [...this.#sessions.values()];
    let stopTimer = (): void => undefined;
    const late = new Promise<void>((resolve) => (stopTimer = after(CLOSE_MAX_MS, resolve)));
    await Promise.race([late, Promise.all(sessions.map((session) => session.idle()))]);
    stopTimer();
    this.#sessions.clear();
    for (const session of sessions) session.leave();
  }

  follow(session: HostSession, queueNumber: number): () => void {
    const stop = this.driver.notifier.follow?.(queueNumber);
    let followers = this.#followers.get(queueNumber);
    if (followers === undefined) this.#followers.set(queueNumber, (followers = new Set()));
    followers.add(session);
    return () => {
      stop?.();
      followers.delete(session);
      if (followers.size === 0 && this.#followers.get(queueNumber) === followers) {
        this.#followers.delete(queueNumber);
      }
    };
  }

  relieved(): void {
    for (const session of this.#paused) this.#relieve(session);
  }

  drop(session: HostSession, isDead = false): void {
    for (const [id, one] of this.#sessions) if (one === session) this.#sessions.delete(id);
    this.#stopWaiting.get(session)?.();
    this.#stopWaiting.delete(session);
    this.#paused.delete(session);
    // When it fails, its leases end at their time.
    session.end(isDead).catch(() => undefined);
  }

  /** @throws WireError */
  #greet(channel: Channel, hello: Hello, options: AcceptOptions): HostSession {
    if (hello.version !== PROTOCOL_VERSION) {
      const versions = `version ${PROTOCOL_VERSION} of the protocol, the program version ${hello.version}`;
      const remedy = 'Give the program and the broker the same version of Wherry.';
      this.#refuse(channel, `The broker speaks ${versions}. ${remedy}`, false);
    }
    let session = this.#sessions.get(hello.session);
    if (session !== undefined && hello.received === null) {
      // Its welcome got lost: nothing had begun.
      this.drop(session);
      session = undefined;
    }
    const isKnown = session !== undefined;
    if (session === undefined) {
      if (this.#sessions.size >= this.limits.clients) {
        this.#refuse(channel, `The broker serves ${this.#sessions.size} clients, its limit.`, true);
      }
      session = new HostSession(this, options);
      this.#sessions.set(hello.session, session);
    }
    this.#stopWaiting.get(session)?.();
    this.#stopWaiting.delete(session);
    // What it may do may have changed.
    session.options = options;
    const former = session.channel;
    session.detach();
    this.#paused.delete(session);
    former?.destroy();
    session.quietMax =
      options.isLocal === true
        ? Infinity
        : Math.min(Math.max(hello.heartbeat * QUIET_BEATS, CHECK_MS), HEARTBEAT_MAX_MS);
    channel.send(
      frameOf(FRAME.welcome, welcome, {
        received: isKnown ? session.received : null,
        store: { name: this.driver.name, supports: { ...this.driver.supports } },
        frameBytes: this.limits.frameBytes,
      }),
    );
    try {
      session.attach(channel, isKnown ? (hello.received ?? 0) : 0);
    } catch (error) {
      this.drop(session);
      throw error;
    }
    return session;
  }

  #refuse(channel: Channel, reason: string, retriable: boolean): never {
    const error = new StorageError(reason, { code: 'STORAGE_REFUSED', retriable });
    channel.send(frameOf(FRAME.refusal, refusal, toFailure(error)));
    channel.close();
    throw new RefusedError('The client');
  }

  #lost(session: HostSession): void {
    session.detach();
    this.#paused.delete(session);
    if (this.#isClosed) return;
    const isLocal = session.options.isLocal === true;
    const wait = isLocal ? LOCAL_GRACE_MS : this.limits.sessionLifetime;
    const stop = after(wait, () => this.drop(session, isLocal), { keepAlive: false });
    this.#stopWaiting.set(session, stop);
  }

  #cutSilent(): void {
    const now = monotonic();
    for (const session of this.#sessions.values()) {
      const isQuiet = now - session.lastHeard > session.quietMax;
      if (isQuiet && !this.#paused.has(session)) session.channel?.destroy();
    }
  }

  /** Makes a client wait that has too much under way, or lets it go on. */
  #relieve(session: HostSession): void {
    const { channel } = session;
    if (channel === null) return;
    const isTooMuch = session.isOverloaded || this.underWay > this.limits.bytes;
    if (isTooMuch === this.#paused.has(session)) return;
    if (!isTooMuch) {
      this.#paused.delete(session);
      session.lastHeard = monotonic();
      channel.resume();
      return;
    }
    this.#paused.add(session);
    channel.pause();
    this.#lookAgain();
  }

  /** That somebody reads its answers again, nothing tells. */
  #lookAgain(): void {
    if (this.#stopRelief !== null || this.#isClosed) return;
    this.#stopRelief = after(RELIEF_MS, () => {
      this.#stopRelief = null;
      this.relieved();
      if (this.#paused.size > 0) this.#lookAgain();
    });
  }
}
