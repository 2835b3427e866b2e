import type { Queue } from 'wherry';
import { queueTraits } from '../definitions/queue-traits.ts';
import { changeNote, type ConsumersNote, readNote } from './consumers-note.ts';
import type { Peers } from './peers.ts';

/** The consumers that a queue has at this broker. */
export interface LocalConsumers {
  readonly size: number;
  /** Those of them that have been let in. */
  readonly admitted: number;
  /** Whether another broker may have the turn has changed. */
  turnChanged(): void;
  /** The queue has no consumer at any broker. */
  emptied(): Promise<void>;
  /** While this broker was taken for dead, others have got what its consumers had. */
  evict(): void;
}

/** 'taken': another broker has an exclusive consumer, or this one cannot; 'gone': the queue is. */
export type Joined = 'joined' | 'taken' | 'gone';

/** How long a broker that lives may take to say whether it has consumers. */
const ANSWER_MS = 5_000;
const NOBODY: readonly string[] = [];

/** A queue whose consumers may be at several brokers on one store. */
export class SharedQueue {
  readonly queue: Queue;
  readonly local: LocalConsumers;
  readonly #peers: Peers;
  /** Whether all its consumers are told of, not only exclusive ones. */
  readonly #isTold: boolean;
  readonly #autoDelete: boolean;
  #isJoined = false;
  #isExclusive = false;
  /** Who joins waits for who leaves. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(queue: Queue, local: LocalConsumers, peers: Peers) {
    const { autoDelete, singleActiveConsumer } = queueTraits(queue);
    this.queue = queue;
    this.local = local;
    this.#peers = peers;
    this.#autoDelete = autoDelete;
    this.#isTold = autoDelete || singleActiveConsumer;
  }

  /** Whether the one consumer that is active may be at this broker. */
  get isTurn(): boolean {
    const { instance, isSure } = this.#peers;
    if (!this.#isJoined || !isSure) return false;
    return this.#note?.brokers.find((broker) => this.#peers.has(broker)) === instance;
  }

  /** Whether other brokers are known to have consumers. */
  get isElsewhere(): boolean {
    return this.#living().some((broker) => broker !== this.#peers.instance);
  }

  /** A consumer of this broker has come. @throws StorageError */
  join(exclusive: boolean): Joined | Promise<Joined> {
    if (!this.#isTold && !exclusive && !this.#isTaken) return 'joined';
    return this.#inTurn(async () => {
      if (this.#isJoined) return 'joined';
      if (!this.#isTold && !exclusive) {
        await this.#peers.refresh();
        return this.#isTaken ? 'taken' : 'joined';
      }
      let joined = await this.#register(exclusive);
      if (joined === 'taken') {
        // Who has had it may have gone a moment ago.
        await this.#peers.refresh();
        if (!this.isElsewhere) joined = await this.#register(exclusive);
      }
      this.#isJoined = joined === 'joined';
      this.#isExclusive = exclusive;
      return joined;
    });
  }

  /** One of this broker has gone. @throws StorageError */
  leave(): Promise<void> | undefined {
    if (this.local.size > 0) return undefined;
    if (!this.#isTold && !this.#isJoined) return undefined;
    return this.#inTurn(async () => {
      // Another may have come meanwhile.
      if (this.local.size > 0 || !this.#isJoined) return;
      const isLast = await this.#deregister(this.#autoDelete);
      this.#isJoined = false;
      if (!isLast) return;
      await this.local.emptied();
      // A queue that could not be deleted is there as before.
      await this.#change((note) => (note.closing === this.#peers.instance ? null : undefined));
    });
  }

  /** The queue is gone, and its note has nothing to say. @throws StorageError */
  forget(): Promise<void> {
    return this.#inTurn(() => this.#change(() => null));
  }

  changed(): void {
    if (this.#isTold && this.#isJoined) this.local.turnChanged();
  }

  /** Takes this broker out of the note, which others may have changed meanwhile. */
  async resign(): Promise<void> {
    if (this.#isJoined) await this.#deregister(false);
  }

  /** Its consumers come anew, unless they have; or they must go. @throws StorageError */
  async rejoin(): Promise<void> {
    if (!this.#isJoined || this.#isIn) return;
    await this.#inTurn(async () => {
      this.#isJoined = (await this.#register(this.#isExclusive)) === 'joined';
    });
    if (this.#isJoined) this.local.turnChanged();
    else this.local.evict();
  }

  get #note(): ConsumersNote | undefined {
    const note = readNote(this.#peers, this.queue.name);
    return note?.queue === this.queue.number ? note : undefined;
  }

  /** The note has this broker, and nobody is asked any more whether it may stay. */
  get #isIn(): boolean {
    const note = this.#note;
    return note?.answers === null && note.brokers.includes(this.#peers.instance);
  }

  get #isTaken(): boolean {
    return this.#note?.exclusive === true && this.isElsewhere;
  }

  #living(note: ConsumersNote | undefined = this.#note): readonly string[] {
    return note?.brokers.filter((broker) => this.#peers.has(broker)) ?? NOBODY;
  }

  async #change(change: (note: ConsumersNote) => ConsumersNote | null | undefined): Promise<void> {
    const { number } = this.queue;
    await changeNote(this.#peers, this.queue.name, (note) =>
      note?.queue === number ? change(note) : undefined,
    );
  }

  async #register(exclusive: boolean): Promise<Joined> {
    const { instance } = this.#peers;
    const { name, number } = this.queue;
    const isAsking = exclusive && !this.#isTold;
    let joined: Joined = 'joined';
    await changeNote(this.#peers, name, (present) => {
      const note = present?.queue === number ? present : undefined;
      const others = this.#living(note).filter((broker) => broker !== instance);
      const closing = note?.closing ?? null;
      if (closing !== null && closing !== instance && this.#peers.has(closing)) joined = 'gone';
      else if (others.length > 0 && (exclusive || note!.exclusive)) joined = 'taken';
      else joined = 'joined';
      if (joined !== 'joined') return undefined;
      const brokers = [...others, instance];
      return { queue: number, brokers, exclusive, closing: null, answers: isAsking ? {} : null };
    });
    return isAsking && joined === 'joined' ? this.#ask() : joined;
  }

  /** @returns whether no broker that lives has consumers any more */
  async #deregister(isClosing: boolean): Promise<boolean> {
    const { instance } = this.#peers;
    let isLast = true;
    await this.#change((note) => {
      const brokers = this.#living(note).filter((broker) => broker !== instance);
      isLast = brokers.length === 0;
      if (!isLast) return { ...note, brokers };
      return isClosing ? { ...note, brokers, exclusive: false, closing: instance } : null;
    });
    return isLast;
  }

  /** Waits until every other broker has said whether it has consumers. */
  async #ask(): Promise<Joined> {
    const { instance } = this.#peers;
    // One that has come a moment ago may not be known here yet, nor have seen the note.
    await this.#peers.refresh();
    const deadline = performance.now() + ANSWER_MS;
    for (;;) {
      const answers = this.#note?.answers ?? {};
      const others = this.#peers.others();
      const isRefused = others.some((broker) => answers[broker] === true);
      const isGranted = others.every((broker) => answers[broker] === false);
      const left = deadline - performance.now();
      if (isGranted) {
        await this.#change((note) => ({ ...note, answers: null }));
        return this.#living()[0] === instance ? 'joined' : 'gone';
      }
      if (isRefused || left <= 0) {
        await this.#deregister(false);
        return 'taken';
      }
      await this.#noteChanged(left);
    }
  }

  /** Resolves after some note has changed, or after so long. */
  async #noteChanged(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const changed = (): void => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const timer = setTimeout(changed, ms);
      const stop = this.#peers.notes.watch(changed);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
