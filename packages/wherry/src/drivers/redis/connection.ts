import { ClosedError, StorageError } from '../../core/errors.ts';
import { createClient, endClient, heedAsking } from './client.ts';
import { failureOf, storageError } from './errors.ts';
import { isCluster, type RedisClient, type RedisSettings } from './options.ts';
import { Deadline, pause } from './timers.ts';

/** More calls than these do not wait for a server that is away: they are refused at once. */
const WAITING_MAX = 1_000;
/** Between two attempts at a call that was refused for a reason that passes. */
const RETRY_MS = 50;

export interface SendOptions {
  /**
   * Whether the call may be made a second time when its answer was lost: it only reads, or the
   * server knows it again.
   */
  readonly repeatable: boolean;
}

/**
 * The way to the server, for calls. It says when a call waits for a server that is away, when it is
 * made again, and when it is given up; the client library only connects.
 */
export class Connection {
  readonly client: RedisClient;
  readonly isCluster: boolean;
  readonly #settings: RedisSettings;
  readonly #waiting = new Set<() => void>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** What the client said last: the reason why it is not ready. */
  #lastError: Error | null = null;
  #closing = false;

  constructor(settings: RedisSettings) {
    this.#settings = settings;
    this.client = settings.client ?? createClient(settings);
    this.isCluster = isCluster(this.client);
  }

  /**
   * Connects, or waits until the caller's client has.
   * @throws StorageError when there is no server within `callTimeout`, or it does not let us in
   */
  async open(): Promise<void> {
    this.client.on('ready', this.#wake);
    this.client.on('end', this.#wake);
    this.client.on('error', this.#note);
    if (isCluster(this.client)) {
      this.client.on('node error', this.#note);
      this.client.on('+node', heedAsking);
      for (const node of this.client.nodes('all')) heedAsking(node);
    }
    const deadline = new Deadline(this.#settings.callTimeout);
    try {
      await this.#ready(deadline);
    } finally {
      deadline.cancel();
    }
  }

  /** Lets calls that are under way end, then the connection. A caller's client stays open. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    await Promise.allSettled(this.#underWay);
    if (this.#settings.client === null) await endClient(this.client);
    this.client.off('ready', this.#wake);
    this.client.off('end', this.#wake);
    this.client.off('error', this.#note);
    this.client.off('node error', this.#note);
    this.client.off('+node', heedAsking);
  }

  /**
   * Makes a call.
   * @param call is given the client when it is ready
   * @throws StorageError when the server refuses, or is away for longer than `callTimeout`
   */
  send<T>(call: (client: RedisClient) => Promise<T>, options: SendOptions): Promise<T> {
    const sent = this.#attempt(call, options);
    this.#underWay.add(sent);
    const forget = (): void => void this.#underWay.delete(sent);
    sent.then(forget, forget);
    return sent;
  }

  async #attempt<T>(call: (client: RedisClient) => Promise<T>, options: SendOptions): Promise<T> {
    if (this.#closing) throw new ClosedError('The Redis store');
    const deadline = new Deadline(this.#settings.callTimeout);
    let refusal: unknown = null;
    let lost: unknown = null;
    try {
      for (;;) {
        if (this.client.status !== 'ready') await this.#ready(deadline, refusal);
        try {
          return await inTime(call(this.client), deadline);
        } catch (error) {
          const { passing, unknown } = failureOf(error);
          if (unknown) lost = error;
          const again = passing || this.#isElsewhere(error) || (unknown && options.repeatable);
          if (!again || deadline.isOver || this.#closing) throw storageError(error);
          refusal = error;
        }
        await this.#beforeRetry();
        // Sent now, it would be given up at once, and might take effect.
        if (deadline.isOver) throw storageError(refusal);
      }
    } catch (error) {
      // It may have been carried out when its answer was lost, whatever it is refused for now.
      throw lost === null ? error : storageError(lost);
    } finally {
      deadline.cancel();
    }
  }

  /** Whether another node of the cluster is to be asked: the client follows a lone command only. */
  #isElsewhere(error: unknown): boolean {
    return this.isCluster && error instanceof Error && /(^|\s)(MOVED|ASK) \d/.test(error.message);
  }

  async #beforeRetry(): Promise<void> {
    const { client } = this;
    // Where its slots are may be what has changed.
    if (isCluster(client)) client.refreshSlotsCache(() => undefined);
    await pause(RETRY_MS);
  }

  /**
   * @param refusal why the call was not carried out before, if it was tried
   * @throws StorageError when the client is not ready at the deadline
   */
  async #ready(deadline: Deadline, refusal: unknown = null): Promise<void> {
    if (this.#waiting.size >= WAITING_MAX) throw this.#away();
    while (this.client.status !== 'ready') {
      if (this.#closing) throw new ClosedError('The Redis store');
      if (deadline.isOver && refusal !== null) throw storageError(refusal);
      if (deadline.isOver || this.#isLockedOut) throw this.#away();
      if (this.client.status === 'wait') this.client.connect().catch(() => undefined);
      else if (this.client.status === 'end') throw this.#away();
      let wake!: () => void;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      this.#waiting.add(wake);
      await Promise.race([woken, deadline.reached]);
      this.#waiting.delete(wake);
    }
    this.#lastError = null;
  }

  get #isLockedOut(): boolean {
    return this.#lastError !== null && failureOf(this.#lastError).code === 'STORAGE_AUTH';
  }

  /** Why the client is not ready, as far as it said. Nothing was sent. */
  #away(): Error {
    const cause = this.#lastError;
    if (cause !== null && failureOf(cause).code !== 'STORAGE') return storageError(cause);
    const told = cause === null ? '' : ` (${cause.message})`;
    return new StorageError(
      `The Redis server was away for longer than ${this.#settings.callTimeout} ms${told}. ` +
        'Nothing was changed. Check that it runs and can be reached.',
      { code: 'STORAGE_UNAVAILABLE', retriable: true, cause },
    );
  }

  readonly #wake = (): void => {
    for (const wake of this.#waiting) wake();
  };

  readonly #note = (error: Error): void => {
    this.#lastError = error;
    if (this.#isLockedOut) this.#wake();
  };
}

/** An answer that does not come until the deadline is lost: the call's outcome is not known. */
async function inTime<T>(answer: Promise<T>, deadline: Deadline): Promise<T> {
  const late = deadline.reached.then(() => {
    throw new Error('Command timed out');
  });
  return Promise.race([answer, late]);
}
