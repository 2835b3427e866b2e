import { MessageQueueError, StorageError } from '../../core/errors.ts';
import type { Root } from './tables.ts';

/** What takes part in each commit beside the jobs. */
export interface CommitParticipant {
  /** Runs after the jobs, in their transaction. */
  beforeCommit(): void;
  afterCommit(): void;
  /** The transaction did not happen: memory must go back to where it was before the jobs. */
  rollBack(): void;
}

interface Job {
  readonly writes: boolean;
  /** In bytes, roughly. */
  readonly weight: number;
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  result: unknown;
}

/** A larger group would hold the event loop up, and dirty more pages than LMDB likes at once. */
const GROUP_WEIGHT_MAX = 32 * 1024 * 1024;
/** What a job weighs beside what it stores. */
const JOB_WEIGHT = 256;

/** As LMDB reports them: a full map, and the system's ENOSPC, EDQUOT and EFBIG. */
const FULL_CODES: ReadonlySet<unknown> = new Set([-30792, 28, 122, 27]);
const FULL_TEXT = /MDB_MAP_FULL|No space left|quota exceeded|File too large/i;
const TXN_FULL_TEXT = /MDB_TXN_FULL/;

/**
 * The one writer. Calls that come while a commit is on its way form the next group: one
 * transaction, one sync. A call's promise settles after its group's commit, never before (G1).
 */
export class Committer {
  readonly #root: Root;
  readonly #path: string;
  readonly #participant: CommitParticipant;
  #queue: Job[] = [];
  #isCommitting = false;
  #idle: (() => void)[] = [];
  /** Set after a failed sync: what the disk holds is uncertain, so nothing more is confirmed (G16). */
  failure: StorageError | null = null;

  constructor(root: Root, path: string, participant: CommitParticipant) {
    this.#root = root;
    this.#path = path;
    this.#participant = participant;
  }

  /**
   * Runs a job in the next commit.
   * @param weight bytes that it stores, roughly
   * @throws StorageError when it is not stored; see `retriable`
   */
  write<T>(run: () => T, weight = 0): Promise<T> {
    return this.#add(run, weight + JOB_WEIGHT, true);
  }

  /** Runs a job that changes nothing: at once, or after those that were begun before it. */
  read<T>(run: () => T): Promise<T> {
    if (!this.#isCommitting && this.#queue.length === 0) {
      return new Promise((resolve) => resolve(run()));
    }
    return this.#add(run, JOB_WEIGHT, false);
  }

  /** Resolves when nothing is on its way. */
  settled(): Promise<void> {
    if (!this.#isCommitting) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #add<T>(run: () => T, weight: number, writes: boolean): Promise<T> {
    if (this.failure !== null && writes) return Promise.reject(this.failure);
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ writes, weight, run, resolve, reject, result: undefined });
      if (!this.#isCommitting) void this.#commitAll();
    });
  }

  async #commitAll(): Promise<void> {
    this.#isCommitting = true;
    while (this.#queue.length > 0) {
      if (this.#queue.some((job) => job.writes)) await this.#commitGroup();
      else for (const job of this.#queue.splice(0)) runRead(job);
    }
    this.#isCommitting = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #commitGroup(): Promise<void> {
    if (this.failure !== null) {
      for (const job of this.#queue.splice(0)) job.reject(this.failure);
      return;
    }
    let group: Job[] = [];
    let running: Job | null = null;
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
      });
    } catch (error) {
      this.#participant.rollBack();
      this.#fail(group, running, await causeOf(error));
      return;
    }
    this.#participant.afterCommit();
    for (const job of group) job.resolve(job.result as never);
  }

  /** Takes what is queued at this moment, up to the greatest weight. */
  #takeGroup(): Job[] {
    let weight = 0;
    let count = 0;
    for (const job of this.#queue) {
      weight += job.weight;
      if (count > 0 && weight > GROUP_WEIGHT_MAX) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #fail(group: readonly Job[], running: Job | null, cause: unknown): void {
    if (running !== null && !isStorageFailure(cause)) {
      // The job's own fault: it alone fails, the others are tried again without it.
      running.reject(cause);
      this.#queue.unshift(...group.filter((job) => job !== running));
      return;
    }
    const error = this.#classify(cause);
    if (!error.retriable) this.failure = error;
    for (const job of group) job.reject(error);
  }

  #classify(cause: unknown): StorageError {
    const path = this.#path;
    if (isFull(cause)) {
      return new StorageError(
        `The store '${path}' has no room on its disk; nothing was changed. ` +
          'Free some space, then try again: the store goes on by itself.',
        { code: 'STORAGE_FULL', retriable: true, cause },
      );
    }
    return new StorageError(
      `The store '${path}' could not be written (${messageOf(cause)}). What the disk holds is ` +
        'uncertain, so nothing more is confirmed: check the disk, then close the store and reopen it.',
      { code: 'STORAGE_FAILED', cause },
    );
  }
}

function runRead(job: Job): void {
  try {
    job.resolve(job.run() as never);
  } catch (error) {
    job.reject(error);
  }
}

/** lmdb rejects with a general error that carries the reason as a second promise. */
async function causeOf(error: unknown): Promise<unknown> {
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

function isFull(error: unknown): boolean {
  return FULL_CODES.has((error as { code?: unknown }).code) || FULL_TEXT.test(messageOf(error));
}

/** LMDB's errors have a numeric code; ours and the language's have none. */
function isStorageFailure(error: unknown): boolean {
  if (error instanceof MessageQueueError || TXN_FULL_TEXT.test(messageOf(error))) return false;
  return typeof (error as { code?: unknown }).code === 'number' || isFull(error);
}
