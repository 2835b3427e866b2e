import type { Queue } from 'wherry';
import { queueTraits } from '../definitions/queue-traits.ts';
import {
  changeNote,
  type ConsumersNote,
  isHeld,
  noteName,
  queueOfNote,
  readNote,
} from './consumers-note.ts';
import type { Peers } from './peers.ts';
import { type LocalConsumers, SharedQueue } from './shared-queue.ts';

export interface SharedConsumersParts {
  readonly peers: Peers;
  readonly onError: (error: unknown) => void;
}

/** What the brokers on one store have to know of each other's consumers. */
export class SharedConsumers {
  readonly #peers: Peers;
  readonly #onError: (error: unknown) => void;
  readonly #queues = new Map<string, SharedQueue>();
  readonly #unwatch: () => void;

  constructor({ peers, onError }: SharedConsumersParts) {
    this.#peers = peers;
    this.#onError = onError;
    this.#unwatch = peers.notes.watch((noted) => {
      const name = queueOfNote(noted);
      if (name !== null) this.#follow(name);
    });
    for (const [name] of this.#notes()) this.#answer(name);
  }

  /** @param local its consumers at this broker @returns null: no other broker can have any */
  of(queue: Queue, local: LocalConsumers): SharedQueue | null {
    if (queueTraits(queue).owner !== null) return null;
    const shared = new SharedQueue(queue, local, this.#peers);
    this.#queues.set(queue.name, shared);
    return shared;
  }

  /** The queue is gone. */
  removed(name: string): void {
    const shared = this.#queues.get(name);
    this.#queues.delete(name);
    shared?.forget().catch(this.#onError);
  }

  /** Brokers have come or gone. */
  changed(): void {
    for (const shared of this.#queues.values()) shared.changed();
  }

  /** Says what could not be said when it was time. @throws StorageError */
  async settle(): Promise<void> {
    for (const shared of this.#queues.values()) await shared.leave();
  }

  /** The others took this broker for dead: it is in none of their notes from now on. */
  async resign(): Promise<void> {
    for (const shared of this.#queues.values()) await shared.resign();
  }

  /** Its consumers come anew, as far as they may. @throws StorageError */
  async rejoin(): Promise<void> {
    for (const shared of this.#queues.values()) await shared.rejoin();
  }

  /**
   * Forgets what brokers that are gone have noted.
   * @param orphaned deletes a queue with auto-delete whose last consumers went with a broker
   * @throws StorageError
   */
  async clear(
    find: (name: string) => Queue | undefined,
    orphaned: (name: string) => Promise<void>,
  ): Promise<void> {
    const { instance } = this.#peers;
    for (const [name, { queue: number }] of this.#notes().filter(([, note]) =>
      this.#isLeft(note),
    )) {
      const queue = find(name);
      const isOrphan = queue?.number === number && queueTraits(queue).autoDelete;
      let isMine = false;
      await changeNote(this.#peers, name, (note) => {
        isMine = note?.queue === number && this.#isLeft(note);
        if (!isMine) return undefined;
        return isOrphan ? { ...note!, brokers: [], closing: instance, answers: null } : null;
      });
      if (!isMine || !isOrphan) continue;
      await orphaned(name);
      await changeNote(this.#peers, name, (note) =>
        note?.closing === instance ? null : undefined,
      );
    }
  }

  /** There was no broker, and so there are no consumers. @throws StorageError */
  async clearAll(): Promise<void> {
    for (const [name] of this.#notes()) await this.#peers.notes.remove(noteName(name));
  }

  close(): void {
    this.#unwatch();
  }

  #isLeft(note: ConsumersNote): boolean {
    return !isHeld(note, this.#peers);
  }

  #follow(name: string): void {
    this.#queues.get(name)?.changed();
    this.#answer(name);
  }

  /** Another broker may ask whether its exclusive consumer would be alone. */
  #answer(name: string): void {
    const { instance } = this.#peers;
    const isAsked = (note: ConsumersNote | undefined): note is ConsumersNote =>
      note !== undefined &&
      note.answers !== null &&
      !note.brokers.includes(instance) &&
      note.answers[instance] === undefined;
    if (!isAsked(readNote(this.#peers, name))) return;
    changeNote(this.#peers, name, (note) => {
      if (!isAsked(note)) return undefined;
      const shared = this.#queues.get(name);
      const has = shared?.queue.number === note.queue && shared.local.admitted > 0;
      return { ...note, answers: { ...note.answers, [instance]: has } };
    }).catch(this.#onError);
  }

  #notes(): [queue: string, ConsumersNote][] {
    const found: [string, ConsumersNote][] = [];
    for (const [noted, note] of this.#peers.notes.entries()) {
      const name = queueOfNote(noted);
      if (name !== null) found.push([name, note as ConsumersNote]);
    }
    return found;
  }
}
