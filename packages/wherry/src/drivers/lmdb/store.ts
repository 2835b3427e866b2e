import { ABORT } from 'lmdb';
import type { Clock, Timer } from '../../core/clock.ts';
import type { QueueRef } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { tellAll } from '../../core/tell-all.ts';
import { Committer, type CommitParticipant } from './committer.ts';
import type { Counters } from './counters.ts';
import { Expiries } from './expiries.ts';
import { numberKey, number48Key } from './keys.ts';
import { Leases } from './leases.ts';
import { encodeMark, type Mark } from './marks.ts';
import { type Facts, storeFacts } from './format.ts';
import type { LmdbNotifier } from './notifier.ts';
import { QueueState } from './queue-state.ts';
import type { Tables } from './tables.ts';
import { Takers } from './takers.ts';
import { Transit } from './transit.ts';

/** Tokens are set aside in blocks, so that none is given out twice, crashes included. */
const TOKEN_BLOCK = 2 ** 24;
/** What was handed out between two commits is stored after this time, if not with another commit. */
const MARKS_WAIT_MS = 20;

/**
 * The open store: its tables, and in memory the numbers of each queue and what is in flight.
 * While it is open, memory is the authority and the tables its durable image; after a commit that
 * failed, memory goes back to what is stored.
 */
export class LmdbStore implements CommitParticipant {
  readonly tables: Tables;
  readonly facts: Facts;
  readonly leases: Leases = new Leases();
  readonly expiries: Expiries;
  readonly notifier: LmdbNotifier;
  readonly committer: Committer;
  readonly queues: Map<number, QueueState> = new Map();
  /** Numbers of the topology's entries. Whoever has an older one was deleted. */
  readonly numbers: Set<number> = new Set();
  /** Deleted since the store was opened, or with records that are still to be removed. */
  readonly buried: Set<number> = new Set();
  /** The last of `buckets` that was looked at, to drop those that are full again. */
  bucketsSeen: Uint8Array | undefined;
  readonly takers: Takers = new Takers();
  readonly transit: Transit = new Transit();
  readonly #clock: Clock;
  #clockOffset = 0;
  #touched: QueueState[] = [];
  readonly #changedMarks = new Set<Mark>();
  /** Of what was handed out and is in no commit yet. */
  readonly #newMarks = new Set<Mark>();
  #marksTimer: Timer | null = null;
  #afterCommit: (() => void)[] = [];
  #undo: (() => void)[] = [];
  #nextMark = 1;
  #nextToken: number;
  #factsChanged = false;

  constructor(tables: Tables, facts: Facts, clock: Clock, path: string, notifier: LmdbNotifier) {
    this.tables = tables;
    this.facts = facts;
    this.notifier = notifier;
    this.#clock = clock;
    this.#nextToken = facts.nextToken;
    this.expiries = new Expiries(tables);
    this.committer = new Committer(tables.root, path, clock, this);
  }

  /** @returns milliseconds since 1970; never behind what is stored (G14) */
  now(): number {
    return this.#clock.now() + this.#clockOffset;
  }

  /** @param time at which something was stored */
  notBefore(time: number): void {
    this.#clockOffset = Math.max(this.#clockOffset, time - this.#clock.now());
  }

  /** @returns the queue, made when it is new here; undefined when it was deleted */
  find(ref: QueueRef): QueueState | undefined {
    const present = this.queues.get(ref.number);
    if (present !== undefined) return present.deleted ? undefined : present;
    if (this.#isDeleted(ref.number)) return undefined;
    const queue = new QueueState(ref.number, ref.name, this.facts.salt);
    this.queues.set(ref.number, queue);
    return queue;
  }

  /** @throws QueueNotFoundError when it was deleted */
  queue(ref: QueueRef): QueueState {
    const queue = this.find(ref);
    if (queue === undefined) throw new QueueNotFoundError(ref.name);
    return queue;
  }

  /** To be called before a queue's counters change in a commit. */
  touch(queue: QueueState): void {
    if (queue.before !== null) return;
    queue.before = queue.counters.copy();
    queue.counters.lastTime = Math.max(queue.counters.lastTime, this.now());
    this.#touched.push(queue);
  }

  nextToken(): number {
    if (this.#nextToken >= this.facts.nextToken) {
      this.facts.nextToken += TOKEN_BLOCK;
      this.#factsChanged = true;
    }
    this.#nextToken += 1;
    return this.#nextToken - 1;
  }

  /** Whether so many tokens can be given out without a commit. */
  hasTokens(count: number): boolean {
    return !this.#factsChanged && this.#nextToken + count <= this.facts.nextToken;
  }

  /** @returns a number for a new topology entry; one that no commit stores is not used again */
  nextNumber(): number {
    this.facts.lastNumber += 1;
    this.#factsChanged = true;
    this.numbers.add(this.facts.lastNumber);
    return this.facts.lastNumber;
  }

  newMark(queue: QueueState, consumerId: string, bound: boolean): Mark {
    const number = this.#nextMark;
    const mark = { number, queue, consumerId, bound, leases: [], active: 0, isStored: false };
    this.#nextMark += 1;
    return mark;
  }

  /** A mark that was found in the store. */
  keepMark(mark: Mark): void {
    this.#nextMark = Math.max(this.#nextMark, mark.number + 1);
  }

  /** The mark must be written, or removed when nothing of it is left. */
  markChanged(mark: Mark | null): void {
    if (mark !== null) this.#changedMarks.add(mark);
  }

  /**
   * Messages were handed out, and nobody waits until that is stored: it goes with the next commit,
   * which comes soon.
   */
  readonly handedOut = (mark: Mark): void => {
    this.#newMarks.add(mark);
    this.#marksTimer ??= this.#clock.setTimer(() => void this.storeMarks(), MARKS_WAIT_MS);
  };

  /** Stores what was handed out, if that is still to be done; if it fails, the next commit does. */
  async storeMarks(): Promise<void> {
    this.#marksTimer?.cancel();
    this.#marksTimer = null;
    if (this.#newMarks.size > 0) await this.committer.write(() => {}).catch(() => {});
  }

  /** Stores what is known here alone, before the store is closed. */
  async finish(): Promise<void> {
    await this.committer.settled();
    const passed = [...this.queues.values()].filter((queue) => !queue.deleted && queue.hasPassed);
    const note = (): void => passed.forEach((queue) => this.touch(queue));
    if (passed.length > 0) await this.committer.write(note).catch(() => {});
    await this.storeMarks();
    await this.committer.settled();
  }

  notifyReady(queue: QueueState): void {
    this.notifier.add(queue.number, 'ready');
  }

  notifyRoom(queue: QueueState): void {
    this.notifier.add(queue.number, 'room');
  }

  /** @param act for other listeners, once what was done is stored */
  onCommit(act: () => void): void {
    this.#afterCommit.push(act);
  }

  /** @param undo takes back a change in memory that has no journal of its own */
  onRollBack(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Within a job: does all that `run` does, or, when its result is refused, nothing. */
  attempt<T>(run: () => T, isRefused: (result: T) => boolean): T {
    const savepoint = this.leases.savepoint;
    const counters = new Map(this.#touched.map((queue) => [queue, queue.counters.copy()]));
    let result: T | undefined;
    // Within a transaction lmdb runs this at once.
    void this.tables.root.childTransaction(() => {
      result = run();
      return isRefused(result) ? ABORT : undefined;
    });
    if (isRefused(result as T)) this.#restore(savepoint, counters);
    return result as T;
  }

  beforeCommit(): void {
    const { counters, marks } = this.tables;
    for (const queue of this.#touched) {
      if (!queue.deleted) {
        queue.counters.nextSequence = queue.arrived + 1;
        counters.putSync(numberKey(queue.number), queue.counters.encode(queue.name));
      }
    }
    for (const mark of this.#changedMarks) {
      if (mark.active > 0) this.#putMark(mark);
      else if (mark.isStored) marks.removeSync(number48Key(mark.number));
    }
    for (const mark of this.#newMarks) {
      if (mark.active > 0 && !this.#changedMarks.has(mark)) this.#putMark(mark);
    }
    if (this.#factsChanged) storeFacts(this.tables.root, this.facts);
    this.takers.handOut(this);
  }

  afterCommit(): void {
    this.leases.commit();
    const acts = this.#afterCommit;
    this.#clear();
    this.#newMarks.clear();
    this.#factsChanged = false;
    tellAll(acts);
    this.notifier.flush();
  }

  rollBack(): void {
    const touched = this.#touched;
    for (const undo of this.#undo.toReversed()) undo();
    this.leases.rollBack();
    for (const queue of touched) {
      queue.counters.restore(queue.before!);
      forget(queue);
    }
    this.expiries.reset();
    this.notifier.clear();
    this.#clear();
  }

  #putMark(mark: Mark): void {
    mark.isStored = true;
    this.tables.marks.putSync(number48Key(mark.number), encodeMark(mark));
  }

  #isDeleted(number: number): boolean {
    if (this.buried.has(number)) return true;
    return number <= this.facts.lastNumber && !this.numbers.has(number);
  }

  #clear(): void {
    for (const queue of this.#touched) queue.before = null;
    this.#touched = [];
    this.#changedMarks.clear();
    this.#afterCommit = [];
    this.#undo = [];
  }

  #restore(savepoint: number, counters: ReadonlyMap<QueueState, Counters>): void {
    this.leases.rollBack(savepoint);
    for (const queue of this.#touched) {
      queue.counters.restore(counters.get(queue) ?? queue.before!);
      forget(queue);
    }
    this.expiries.reset();
  }
}

/** What memory only derives from the tables is found again. */
function forget(queue: QueueState): void {
  queue.scan.reset();
  queue.nextDue = 0;
}
