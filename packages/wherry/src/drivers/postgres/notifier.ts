import type { Notifier } from '../../core/driver.ts';
import { numbersIn, sqlList } from './arrays.ts';
import { Announcer, type News } from './announcer.ts';
import type { Connection } from './connection.ts';
import { COUNT_LISTENERS, Listener } from './listener.ts';
import { withLimit } from './limit.ts';
import { after } from './timers.ts';

type Subscriber = Parameters<Notifier['subscribe']>[0];

/** How often those who cannot listen look instead, also whether anybody else can. */
const POLL_MS = 1_000;
/** What others learn by themselves after a while need not hold up a close for long. */
const LAST_NEWS_LIMIT_MS = 1_000;

export interface NotifierOptions {
  readonly connection: Connection;
  /** The topology may have changed. */
  readonly topologyChanged: () => void;
}

/**
 * Tells this process's subscribers what happens to queues, here and in other processes, and tells
 * other processes what happens here.
 */
export class PostgresNotifier implements Notifier {
  readonly #connection: Connection;
  readonly #topologyChanged: () => void;
  readonly #subscribers = new Set<Subscriber>();
  /** How often each queue is followed. */
  readonly #followed = new Map<number, number>();
  readonly #announcer: Announcer;
  readonly #listener: Listener;
  /** Announcements under way. */
  readonly #announcing = new Set<Promise<void>>();
  #cancelPoll: () => void = () => undefined;
  #isStopped = false;

  constructor({ connection, topologyChanged }: NotifierOptions) {
    this.#connection = connection;
    this.#topologyChanged = topologyChanged;
    this.#announcer = new Announcer((payloads) => {
      const announcing = this.#announce(payloads).finally(() => {
        this.#announcing.delete(announcing);
      });
      this.#announcing.add(announcing);
    });
    this.#listener = new Listener(connection, {
      heard: (payload, isOurs) => this.#hear(payload, isOurs),
      connected: () => this.#lookForAll(),
      counted: (others) => {
        this.#announcer.setListeners(others);
        this.#topologyChanged();
      },
    });
  }

  /** Whether other processes are heard at present. */
  get isListening(): boolean {
    return this.#listener.isConnected;
  }

  /**
   * @param listen `false`: nothing is heard of other processes, and looked for every second instead
   */
  async start(listen: boolean): Promise<void> {
    if (listen) await this.#listener.start();
    await this.#poll();
  }

  /** Others are told first what happened here last, if the server is there. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelPoll();
    this.#announcer.stop();
    await withLimit(Promise.all(this.#announcing), LAST_NEWS_LIMIT_MS).catch(() => undefined);
    await this.#listener.stop();
  }

  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  follow(queueNumber: number): () => void {
    this.#followed.set(queueNumber, (this.#followed.get(queueNumber) ?? 0) + 1);
    return () => {
      const left = this.#followed.get(queueNumber)! - 1;
      if (left === 0) this.#followed.delete(queueNumber);
      else this.#followed.set(queueNumber, left);
    };
  }

  /** A call of this process changed a queue, and has ended. */
  happened(queueNumber: number, what: News): void {
    this.#tell(queueNumber, what);
    this.#announcer.happened(queueNumber, what);
  }

  #hear(payload: string, isOurs: boolean): void {
    const [word, ...numbers] = payload.split(' ');
    if (word === 'topology') this.#topologyChanged();
    else if (word === 'hello' && !isOurs) this.#announcer.greeted();
    else if (word === 'ready' || word === 'room') {
      const queueNumbers = numbers.map(Number);
      this.#announcer.heard(queueNumbers, word);
      // Of what happened here our subscribers were told at once.
      if (!isOurs) for (const queueNumber of queueNumbers) this.#tell(queueNumber, word);
    }
  }

  #tell(queueNumber: number, what: News): void {
    for (const subscriber of this.#subscribers) subscriber(queueNumber, what);
  }

  /** Something may have been missed. */
  #lookForAll(): void {
    this.#topologyChanged();
    for (const queueNumber of this.#followed.keys()) {
      this.#tell(queueNumber, 'ready');
      this.#tell(queueNumber, 'room');
    }
  }

  /** Without a connection that listens, again and again. */
  async #poll(): Promise<void> {
    if (this.#isStopped) return;
    if (!this.isListening) {
      this.#topologyChanged();
      // Whatever goes wrong, the next look comes soon.
      await this.#look().catch(() => undefined);
    }
    if (this.#isStopped) return;
    this.#cancelPoll = after(POLL_MS, () => void this.#poll());
  }

  async #look(): Promise<void> {
    const connection = this.#connection;
    const [row] = await connection.query<{ listeners: number }>(COUNT_LISTENERS, [
      connection.schema,
    ]);
    this.#announcer.setListeners(row!.listeners);
    const followed = [...this.#followed.keys()];
    if (followed.length === 0) return;
    // Nobody asks for room but those who wait for it.
    for (const queueNumber of followed) this.#tell(queueNumber, 'room');
    const [found] = await connection.call<{ ready: string }>(
      'queues_ready',
      [connection.clockTime(), sqlList(followed)],
      { repeatable: true },
    );
    for (const queueNumber of numbersIn(found!.ready)) this.#tell(queueNumber, 'ready');
  }

  /** A failure costs others a while: they look by themselves in the end. */
  async #announce(payloads: readonly string[]): Promise<void> {
    if (await this.#listener.announce(payloads)) return;
    await this.#connection
      .query('SELECT wherry.announce(payload) FROM unnest($1::text[]) AS payload', [payloads])
      .catch(() => undefined);
  }
}
