import type { Clock } from '../../core/clock.ts';
import { MessageQueueError, StorageError } from '../../core/errors.ts';
import { tellAll } from '../../core/tell-all.ts';
import { isDiskFull, saysFull } from './disk-full.ts';
import type { Root } from './tables.ts';

export interface WriteOptions {
  readonly weight?: number;
  readonly isEarly?: boolean;
  readonly shrinking?: Shrinking | null;
}

/** What takes part in each commit beside the jobs. */
export interface CommitParticipant {
  /** Runs after the jobs, in their transaction. */
  beforeCommit(): void;
  afterCommit(): void;
  /** The transaction did not happen: memory must go back to where it was before the jobs. */
  rollBack(): void;
}

/** What may become of a job while it waits for its commit. */
export interface Shrinking {
  /** Nothing of it has to be stored any more. */
  readonly isNeedless: boolean;
  /** That may well be so soon. */
  readonly isWorthWaiting: boolean;
}

interface Job {
  readonly writes: boolean;
  readonly shrinking: Shrinking | null;
  /** In bytes, roughly. */
  readonly weight: number;
  /** It is answered once it was done, and not only when it is stored. */
  readonly isEarly: boolean;
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  result: unknown;
}

/**
 * Calls beyond this make the next group: with all in one, the callers would wait for the disk and
 * then the disk for the callers. A call of any size fits into a group of its own.
 */
const GROUP_WEIGHT_MAX = 160 * 1024;
/** What a job weighs beside what it stores. */
const JOB_WEIGHT = 256;
/** So long a commit waits for what makes it needless. */
const PATIENCE_MS = 1;

const TXN_FULL_TEXT = /MDB_TXN_FULL/;

/**
 * The one writer. Calls that come while a commit is on its way form the next group: one
 * transaction, one sync. A call's promise settles after its group's commit, never before (G1).
 */
export class Committer {
  readonly #root: Root;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #participant: CommitParticipant;
  #queue: Job[] = [];
  #isCommitting = false;
  /** From before the first job of a group until the group is stored, or taken back. */
  #isStoring = false;
  /** The last group, stored but not answered yet. */
  #committed: Job[] = [];
  /** So many jobs of a group that found no room are tried one by one: some may need none. */
  #alone = 0;
  #idle: (() => void)[] = [];
  /** Ends the waiting for what may shrink; null: nobody waits. */
  #goOn: (() => void) | null = null;
  /** Set after a failed sync: what the disk holds is uncertain, so nothing more is confirmed (G16). */
  failure: StorageError | null = null;

  constructor(root: Root, path: string, clock: Clock, participant: CommitParticipant) {
    this.#root = root;
    this.#clock = clock;
    this.#path = path;
    this.#participant = participant;
  }

  /**
   * Runs a job in the next commit.
   * @param options.weight bytes that it stores, roughly
   * @param options.isEarly answered before it is stored: if it then is not, it was taken back
   * @param options.shrinking what may make the commit needless
   * @throws StorageError when it is not stored; see `retriable`
   */
  write<T>(
    run: () => T,
    { weight = 0, isEarly = false, shrinking = null }: WriteOptions = {},
  ): Promise<T> {
    return this.#add(run, { weight: weight + JOB_WEIGHT, writes: true, isEarly, shrinking });
  }

  /** Runs a job that changes nothing: at once, or after those that were begun before it. */
  read<T>(run: () => T): Promise<T> {
    if (this.#isCommitting || this.#queue.length > 0) {
      const weight = JOB_WEIGHT;
      return this.#add(run, { weight, writes: false, isEarly: false, shrinking: null });
    }
    return new Promise((resolve) => resolve(this.#tryRead(run)));
  }

  /**
   * Runs a job that writes nothing between two commits: what the tables hold is all there is.
   * @returns undefined, and it has not run, when something is being stored, or waits to be
   * @throws StorageError
   */
  between<T>(run: () => T): T | undefined {
    const isBetween = !this.#isStoring && this.#queue.length === 0 && this.failure === null;
    return isBetween ? this.#tryRead(run) : undefined;
  }

  /** Resolves when nothing is on its way. */
  settled(): Promise<void> {
    if (!this.#isCommitting) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #add<T>(
    run: () => T,
    kind: Pick<Job, 'weight' | 'writes' | 'isEarly' | 'shrinking'>,
  ): Promise<T> {
    if (this.failure !== null && kind.writes) return Promise.reject(this.failure);
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ ...kind, run, resolve, reject, result: undefined });
      if (!this.#isCommitting) void this.#commitAll();
      else if (this.#goOn !== null) this.shrunk();
    });
  }

  /** A job has shrunk, or come: is it still worth waiting? */
  shrunk(): void {
    if (this.#goOn !== null && !this.#isWorthWaiting()) this.#goOn();
  }

  #isWorthWaiting(): boolean {
    let weight = 0;
    let isAny = false;
    for (const { shrinking, weight: more } of this.#queue) {
      if (shrinking === null) return false;
      if (shrinking.isNeedless) continue;
      if (!shrinking.isWorthWaiting) return false;
      weight += more;
      isAny = true;
    }
    return isAny && weight < GROUP_WEIGHT_MAX;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        timer.cancel();
        this.#goOn = null;
        resolve();
      };
      const timer = this.#clock.setTimer(goOn, PATIENCE_MS);
      this.#goOn = goOn;
    });
  }

  async #commitAll(): Promise<void> {
    this.#isCommitting = true;
    while (this.#queue.length > 0) {
      if (this.#isWorthWaiting()) {
        this.#tell();
        await this.#wait();
      }
      if (this.#queue.some(needsCommit)) await this.#commitGroup();
      else {
        this.#tell();
        for (const job of this.#queue.splice(0)) this.#runRead(job);
      }
    }
    this.#tell();
    this.#isCommitting = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #runRead(job: Job): void {
    try {
      job.resolve(this.#tryRead(job.run) as never);
    } catch (error) {
      job.reject(error);
    }
  }

  #tryRead<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!isStorageFailure(error)) throw error;
      throw new StorageError(
        `The store '${this.#path}' could not be read (${messageOf(error)}). ` +
          'Check the disk, then close the store and reopen it.',
        { code: 'STORAGE_FAILED', cause: error },
      );
    }
  }

  async #commitGroup(): Promise<void> {
    if (this.failure !== null) {
      for (const job of this.#queue.splice(0)) job.reject(this.failure);
      return;
    }
    let group: Job[] = [];
    let running: Job | null = null;
    this.#isStoring = true;
    try {
      // A child transaction, for only that can be taken back when a job throws.
      await this.#root.childTransaction(() => {
        group = this.#takeGroup();
        for (const job of group) {
          running = job;
          job.result = job.run();
        }
        running = null;
        this.#participant.beforeCommit();
        this.#tell();
        group = answerEarly(group);
      });
    } catch (error) {
      this.#tell();
      await this.#rollBack(group, running, error);
      return;
    } finally {
      this.#isStoring = false;
    }
    tellAll([() => this.#participant.afterCommit()]);
    this.#committed = group;
    if (this.#queue.length === 0) this.#tell();
  }

  /**
   * Answers the calls of the last group. When another group waits, its jobs run first: the disk then
   * has work while the callers go on, instead of waiting for them.
   */
  #tell(): void {
    const group = this.#committed;
    this.#committed = [];
    for (const job of group) job.resolve(job.result as never);
  }

  /** Takes what is queued at this moment, up to the greatest weight. */
  #takeGroup(): Job[] {
    if (this.#alone > 0) {
      this.#alone -= 1;
      return this.#queue.splice(0, 1);
    }
    let weight = 0;
    let count = 0;
    for (const job of this.#queue) {
      weight += job.weight;
      if (count > 0 && weight > GROUP_WEIGHT_MAX) break;
      count += 1;
    }
    return lastTheEarly(this.#queue.splice(0, count));
  }

  /** Never rejects: with nobody to catch it, that would be the end of the process. */
  async #rollBack(group: readonly Job[], running: Job | null, error: unknown): Promise<void> {
    try {
      this.#participant.rollBack();
      await this.#fail(group, running, await causeOf(error));
    } catch (cause) {
      this.failure = this.#failed(cause);
      for (const job of group) job.reject(this.failure);
    }
  }

  async #fail(group: readonly Job[], running: Job | null, cause: unknown): Promise<void> {
    if (running !== null && !isStorageFailure(cause)) {
      // The job's own fault: it alone fails, the others are tried again without it.
      running.reject(cause);
      this.#queue.unshift(...group.filter((job) => job !== running));
      this.#alone = 0;
      return;
    }
    const error = await this.#classify(cause);
    if (!error.retriable) {
      this.failure = error;
    } else if (group.length > 1) {
      this.#alone = group.length;
      this.#queue.unshift(...group);
      return;
    }
    for (const job of group) job.reject(error);
  }

  async #classify(cause: unknown): Promise<StorageError> {
    const path = this.#path;
    if (await isDiskFull(cause, path)) {
      return new StorageError(
        `The store '${path}' has no room on its disk; nothing was changed. ` +
          'Free some space, then try again: the store goes on by itself.',
        { code: 'STORAGE_FULL', retriable: true, cause },
      );
    }
    return this.#failed(cause);
  }

  #failed(cause: unknown): StorageError {
    return new StorageError(
      `The store '${this.#path}' could not be written (${messageOf(cause)}). What the disk holds is ` +
        'uncertain, so nothing more is confirmed: check the disk, then close the store and reopen it.',
      { code: 'STORAGE_FAILED', cause },
    );
  }
}

function needsCommit({ writes, shrinking }: Job): boolean {
  return writes && shrinking?.isNeedless !== true;
}

/** What hands out messages comes last: then it finds those, too, that its commit makes ready. */
function lastTheEarly(group: Job[]): Job[] {
  const early = group.filter((job) => job.isEarly);
  return early.length === 0 ? group : [...group.filter((job) => !job.isEarly), ...early];
}

/** @returns the jobs that wait until they are stored */
function answerEarly(group: readonly Job[]): Job[] {
  return group.filter((job) => {
    if (job.isEarly) job.resolve(job.result as never);
    return !job.isEarly;
  });
}

/** lmdb rejects with a general error that carries the reason as a second promise. */
export async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<unknown> };
  if (commitError === undefined) return error;
  return commitError.then(
    () => error,
    (reason: unknown) => reason,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** LMDB's errors have a numeric code; ours and the language's have none. */
function isStorageFailure(error: unknown): boolean {
  if (error instanceof MessageQueueError || TXN_FULL_TEXT.test(messageOf(error))) return false;
  return typeof (error as { code?: unknown }).code === 'number' || saysFull(error);
}
