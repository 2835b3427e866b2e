import type { Notifier } from '../../core/driver.ts';
import type { Connection } from './connection.ts';
import type { Reader } from './wire/bytes.ts';
import { whole } from './wire/codec.ts';
import { readWhole } from './wire/frames.ts';
import { MESSAGE, news } from './wire/messages.ts';

type Listener = Parameters<Notifier['subscribe']>[0];

/** Wake-ups for the queues that somebody here follows. */
export class RemoteNotifier implements Notifier {
  readonly #connection: () => Connection;
  readonly #listeners = new Set<Listener>();
  /** How many follow a queue, and how to stop in a store of our own. */
  readonly #followed = new Map<number, { followers: number; stop: (() => void) | undefined }>();
  #stopLocal: (() => void) | null = null;

  constructor(connection: () => Connection) {
    this.#connection = connection;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  follow(queueNumber: number): () => void {
    const followed = this.#followed.get(queueNumber);
    if (followed === undefined) {
      this.#followed.set(queueNumber, { followers: 1, stop: this.#begin(queueNumber) });
    } else followed.followers += 1;
    let isStopped = false;
    return () => {
      if (isStopped) return;
      isStopped = true;
      this.#unfollow(queueNumber);
    };
  }

  receive(from: Reader): void {
    const { ready, room } = readWhole(from, news);
    for (const queueNumber of ready) this.#tell(queueNumber, 'ready');
    for (const queueNumber of room) this.#tell(queueNumber, 'room');
  }

  /** The host, or the store, is another one: whoever waits is woken, for news may have been missed. */
  followAnew(): void {
    const { local } = this.#connection();
    if (local !== null) {
      this.#stopLocal ??= local.notifier.subscribe((number, what) => this.#tell(number, what));
    }
    for (const [queueNumber, followed] of this.#followed) {
      followed.stop = this.#begin(queueNumber);
      this.#tell(queueNumber, 'ready');
      this.#tell(queueNumber, 'room');
    }
  }

  close(): void {
    this.#stopLocal?.();
  }

  #begin(queueNumber: number): (() => void) | undefined {
    const connection = this.#connection();
    if (connection.local !== null) return connection.local.notifier.follow?.(queueNumber);
    connection.tell(MESSAGE.follow, whole, queueNumber);
    return undefined;
  }

  #unfollow(queueNumber: number): void {
    const followed = this.#followed.get(queueNumber)!;
    followed.followers -= 1;
    if (followed.followers > 0) return;
    this.#followed.delete(queueNumber);
    followed.stop?.();
    this.#connection().tell(MESSAGE.unfollow, whole, queueNumber);
  }

  #tell(queueNumber: number, what: 'ready' | 'room'): void {
    for (const listener of this.#listeners) listener(queueNumber, what);
  }
}
