import type { Driver, LeasedMessage } from '../../core/driver.ts';
import { ClosedError, StorageError } from '../../core/errors.ts';
import { backoff } from './backoff.ts';
import { CallBook } from './call-book.ts';
import type { Channel } from './channel.ts';
import { ClientSession } from './client-session.ts';
import { Outstanding } from './outstanding.ts';
import { after, monotonic } from './timers.ts';
import { type Reader, Writer } from './wire/bytes.ts';
import type { AnswerOf, CallName, RequestOf } from './wire/calls.ts';
import type { Codec } from './wire/codec.ts';
import { failure, toError } from './wire/errors.ts';
import { HEADER_BYTES, readWhole, type Welcome } from './wire/frames.ts';
import { makeMessage, MESSAGE } from './wire/messages.ts';

export interface ConnectionSettings {
  /** For messages to people. */
  readonly where: string;
  /**
   * Makes one attempt. A driver, open, instead of a channel: the store has come to this process.
   * @throws StorageError that is not retriable when no further attempt can succeed
   */
  readonly connect: (signal: AbortSignal) => Promise<Channel | Driver>;
  /** How long calls wait for a host that is away. Milliseconds. */
  readonly timeout: number;
  /** Milliseconds between two signs of life. */
  readonly heartbeat: number;
  /** @returns a number from 0 to 1 */
  readonly random: () => number;
}

export interface ConnectionEvents {
  /** A host that knows nothing of this client, or a store of our own: news may have been missed. */
  readonly onNewHost: () => void;
  readonly onPush: (kind: number, from: Reader) => void;
}

/** More calls than these do not wait for a host that is away: they are refused at once. */
const WAITING_MAX = 10_000;
/** A connection that ends sooner was in vain: the next is not made at once. Milliseconds. */
const IN_VAIN_MS = 3;

/**
 * The way to the host, for calls: each is answered once, over any number of cuts. A call waits for a
 * host that is away, and is made again where that does no harm.
 */
export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #events: ConnectionEvents;
  readonly #session: ClientSession;
  readonly #calls: CallBook;
  readonly #writer = new Writer();
  #welcome: Welcome | null = null;
  #local: Driver | null = null;
  /** So much the host took before it ended in good order. */
  #taken: number | null = null;
  #lastError: Error | null = null;
  #state: 'new' | 'open' | 'closing' | 'closed' = 'new';
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #endPause: () => void = () => undefined;
  #opened: (error: Error | null) => void = () => undefined;

  constructor(settings: ConnectionSettings, events: ConnectionEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#calls = new CallBook(settings.timeout, () => this.#away());
    this.#session = new ClientSession(settings.heartbeat, {
      onWelcome: (welcome, isNew) => this.#welcomed(welcome, isNew),
      onRefusal: (refused) => this.#note(toError(refused)),
      onData: (from) => this.#receive(from),
      onConfirmed: () => this.#calls.goOn(),
      onGone: (taken) => (this.#taken = taken),
    });
  }

  /** What the host said of its store; null before the first connection. */
  get store(): Welcome['store'] | null {
    return this.#welcome?.store ?? null;
  }

  /** Most bytes of a call. */
  get frameBytes(): number {
    return this.#welcome?.frameBytes ?? Infinity;
  }

  /** The store itself, once it has come to this process. */
  get local(): Driver | null {
    return this.#local;
  }

  /** @throws StorageError when there is no host within the timeout, or it does not let us in */
  async open(): Promise<void> {
    const opened = new Promise<Error | null>((resolve) => (this.#opened = resolve));
    const stopTimer = after(this.#settings.timeout, () => this.#opened(this.#away()));
    this.#running = this.#run();
    const error = await opened;
    stopTimer();
    if (error === null) {
      this.#state = 'open';
      return;
    }
    await this.#end();
    throw error;
  }

  /** Waits for the answers to what was called, then leaves. */
  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    await this.#calls.idle();
    await this.#end();
  }

  /** @throws StorageError, and what the store throws */
  call<Name extends CallName>(name: Name, request: RequestOf<Name>): Promise<AnswerOf<Name>> {
    const { where } = this.#settings;
    if (this.#state !== 'open') return Promise.reject(new ClosedError(`The store ${where}`));
    return new Promise((resolve, reject) => {
      const outstanding = new Outstanding<Name>(name, request, monotonic(), resolve, reject);
      const call = outstanding as unknown as Outstanding;
      if (this.#local !== null) call.runOn(this.#local);
      else if (this.#session.isOpen) this.#send(this.#calls.add(call), call);
      else if (this.#calls.size >= WAITING_MAX) reject(this.#away());
      else this.#calls.add(call);
    });
  }

  /** Tells the present host something; the next one is told by `onNewHost`. */
  tell<T>(kind: number, codec: Codec<T>, value: T): void {
    if (this.#welcome === null || this.#local !== null) return;
    this.#session.send(makeMessage(this.#writer, kind, (out) => codec.write(out, value)));
  }

  /** Connects again and again until it is closed, or the store is in this process. */
  async #run(): Promise<void> {
    let failed = 0;
    while (!this.#isClosed && this.#local === null) {
      const lasted = await this.#serveOnce().catch((error: unknown) => {
        this.#note(error);
        return null;
      });
      failed = lasted === null ? failed + 1 : 0;
      // A connection that had worked is made again at once.
      if (lasted !== null && lasted > IN_VAIN_MS) continue;
      await this.#pause(backoff(failed, this.#settings.random()));
    }
  }

  /** @returns how long a connection lasted, in milliseconds; null: there was none */
  async #serveOnce(): Promise<number | null> {
    const end = await this.#settings.connect(this.#closing.signal);
    if ('publish' in end) {
      await this.#takeOver(end);
      return null;
    }
    if (this.#isClosed) {
      end.destroy();
      return null;
    }
    const before = this.#welcome;
    const begun = monotonic();
    this.#lastError = null;
    const error = await this.#session.serve(end);
    this.#lastError ??= error ?? null;
    this.#leaveGone();
    if (this.#welcome === before) return null;
    this.#calls.wait();
    return monotonic() - begun;
  }

  /** A host that ended in good order said what it took: the rest was not carried out. */
  #leaveGone(): void {
    if (this.#taken === null) return;
    this.#calls.hostIsGone(this.#taken);
    this.#taken = null;
    this.#session.begin();
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const stopTimer = after(ms, resolve);
      this.#endPause = () => {
        stopTimer();
        resolve();
      };
    });
  }

  async #end(): Promise<void> {
    this.#state = 'closed';
    this.#closing.abort();
    this.#calls.goOn();
    this.#endPause();
    this.#session.leave();
    await this.#running;
    await this.#local?.close();
  }

  /** Why there is no connection. What no attempt can mend, callers are told at once. */
  #note(error: unknown): void {
    const noted = error instanceof Error ? error : new Error(String(error));
    this.#lastError = noted;
    if (!(noted instanceof StorageError) || noted.retriable) return;
    this.#opened(noted);
    this.#calls.rejectAll(noted);
  }

  /** Nothing was sent. */
  #away(): StorageError {
    const { where, timeout } = this.#settings;
    const cause = this.#lastError;
    const told = cause === null ? '' : ` (${cause.message})`;
    return new StorageError(
      `The store ${where} was away for longer than ${timeout} ms${told}. ` +
        'Nothing was changed. Check that the broker runs and can be reached.',
      { code: 'STORAGE_UNAVAILABLE', retriable: true, cause },
    );
  }

  #welcomed(welcome: Welcome, isNew: boolean): void {
    this.#welcome = welcome;
    this.#lastError = null;
    this.#calls.pause();
    if (isNew) this.#calls.hostIsGone(null);
    for (const [number, call] of this.#calls.unsent()) this.#send(number, call);
    if (isNew) this.#events.onNewHost();
    this.#opened(null);
  }

  async #takeOver(driver: Driver): Promise<void> {
    if (this.#isClosed) {
      await driver.close();
      return;
    }
    this.#local = driver;
    this.#calls.goOn();
    this.#calls.hostIsGone(null);
    this.#calls.runOn(driver);
    this.#events.onNewHost();
    this.#opened(null);
  }

  #send(number: number, call: Outstanding): void {
    try {
      const frame = makeMessage(this.#writer, MESSAGE.call, (out) => {
        out.varint(number);
        out.varint(call.call.number);
        call.call.request.write(out, call.request);
      });
      const bytes = frame.length - HEADER_BYTES;
      if (bytes > this.frameBytes) throw tooLarge(bytes, this.frameBytes);
      call.frame = this.#session.send(frame);
    } catch (error) {
      this.#calls.delete(number);
      call.reject(error);
    }
  }

  #receive(from: Reader): void {
    const kind = from.u8();
    if (kind !== MESSAGE.answer && kind !== MESSAGE.failure) {
      this.#events.onPush(kind, from);
      return;
    }
    const number = from.varint();
    const call = this.#calls.find(number);
    // Else it was given up, and its caller told that the outcome is not known.
    if (call === undefined) return;
    // Answered or not: it does not come a second time.
    this.#calls.delete(number);
    this.#calls.goOn();
    try {
      if (kind === MESSAGE.failure) call.reject(toError(readWhole(from, failure)));
      else this.#answer(call, readWhole(from, call.call.answer));
    } catch (error) {
      call.reject(unreadable(error as Error));
      throw error;
    }
  }

  #answer(call: Outstanding, answer: AnswerOf<CallName>): void {
    if (call.isAbandoned) this.#giveBack(call, answer);
    else call.answer(answer);
  }

  /** Messages that were leased to somebody who had given up waiting. */
  #giveBack(call: Outstanding, answer: AnswerOf<CallName>): void {
    const { queue } = call.request as RequestOf<'take'>;
    const { messages } = answer as AnswerOf<'take'>;
    if (messages.length === 0) return;
    const receiptOf = ({ id, lease }: LeasedMessage) => ({ queue, id, token: lease.token });
    const items = messages.map((message) => {
      return { receipt: receiptOf(message), delay: 0, as: 'unstarted' } as const;
    });
    // When it fails, the leases end by themselves.
    this.call('release', items).catch(() => undefined);
  }
}

function unreadable(cause: Error): StorageError {
  return new StorageError(
    `The broker's answer cannot be read (${cause.message}): whether the call took effect is not ` +
      'known. Give the program and the broker the same version of Wherry.',
    { code: 'STORAGE_CONNECTION', retriable: true, cause },
  );
}

function tooLarge(bytes: number, limit: number): StorageError {
  return new StorageError(
    `A call of ${bytes} bytes is more than the ${limit} that the broker takes. Nothing was changed. ` +
      "Send less at once, or raise the broker's limit.",
    { code: 'STORAGE_TOO_LARGE' },
  );
}
