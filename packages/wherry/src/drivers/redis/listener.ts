import type { Redis } from 'ioredis';
import { createListener, endClient, retryDelay } from './client.ts';
import { failureOf, storageError } from './errors.ts';
import type { RedisClient } from './options.ts';
import { every, pause } from './timers.ts';

type Receive = (payload: string) => void;

/** How often a silent connection is asked whether it lives. */
const PULSE_MS = 10_000;
/** Together some seconds. */
const OPEN_ATTEMPTS = 8;

/**
 * The one connection of a process on which notices come. When it breaks, another is made and listens
 * to the same; what was told in between is lost, and said to be.
 */
export class Listener {
  readonly #client: RedisClient;
  readonly #receivers = new Map<string, Receive>();
  readonly #onGap: () => void;
  #connection: Redis | null = null;
  /** Not connected yet. */
  #attempt: Redis | null = null;
  #stopPulse: (() => void) | null = null;
  #connecting: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  /** @param onGap called whenever it listens (again): notices before are not known to have come */
  constructor(client: RedisClient, onGap: () => void) {
    this.#client = client;
    this.#onGap = onGap;
  }

  /**
   * @returns once it listens
   * @throws StorageError when the user may not listen to our channels, or the server is away
   */
  async open(): Promise<void> {
    this.#stopPulse = every(PULSE_MS, () => {
      // No answer within the socket's timeout ends the connection, and with it begins the next.
      if (this.#connection?.status === 'ready') this.#connection.ping().catch(() => undefined);
    });
    this.#connecting = this.#connect(OPEN_ATTEMPTS);
    await this.#connecting;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopPulse?.();
    if (this.#attempt !== null) await endClient(this.#attempt);
    await this.#connecting.catch(() => undefined);
    const connection = this.#connection;
    this.#connection = null;
    if (connection !== null) await endClient(connection);
  }

  /** @returns once the server knows of it; at once when there is no connection: the next one tells it */
  async add(channel: string, receive: Receive): Promise<void> {
    this.#receivers.set(channel, receive);
    await this.#connection?.subscribe(channel).catch(() => undefined);
  }

  remove(channel: string): void {
    this.#receivers.delete(channel);
    this.#connection?.unsubscribe(channel).catch(() => undefined);
  }

  /** @param attemptsMax after so many it throws; once it was open, it goes on until it is closed */
  async #connect(attemptsMax = Infinity): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      const connection = createListener(this.#client);
      try {
        if (connection !== null) return await this.#listen(connection);
      } catch (error) {
        if (connection !== null) await endClient(connection);
        const isRefused = failureOf(error).code === 'STORAGE_AUTH';
        if (attempt >= attemptsMax || (isRefused && attemptsMax < Infinity)) {
          throw storageError(error);
        }
      }
      await pause(retryDelay(attempt), signal);
    }
  }

  async #listen(connection: Redis): Promise<void> {
    // Its errors come as rejections too; later ones, the connection for calls meets and tells.
    connection.on('error', () => undefined);
    connection.on('message', (channel, payload) => this.#receivers.get(channel)?.(payload));
    this.#attempt = connection;
    await connection.connect().finally(() => {
      this.#attempt = null;
    });
    const channels = [...this.#receivers.keys()];
    if (channels.length > 0) await connection.subscribe(...channels);
    this.#connection = connection;
    // Added while that was under way.
    for (const channel of this.#receivers.keys()) {
      if (!channels.includes(channel)) void connection.subscribe(channel).catch(() => undefined);
    }
    connection.once('end', () => {
      if (this.#connection !== connection) return;
      this.#connection = null;
      // What it had to the Sentinels does not end by itself.
      void endClient(connection);
      this.#connecting = this.#connect().catch(() => undefined);
    });
    this.#onGap();
  }
}
