import type { SweepResult } from '../../../core/driver.ts';
import { storageError } from '../errors.ts';
import type { ScriptArgument, ScriptName } from '../scripts.ts';
import type { RedisStore } from '../store.ts';
import { sweepQueue } from '../sweep.ts';
import { endOverdue } from './recovery.ts';

/** Queues that are seen to at a time. */
const CLAIM_MAX = 100;
/** When a queue that could not be reached is tried again, in milliseconds. */
const RETRY_MS = 1_000;
/** How often a sweep looks at what is due next, to see whether it still is. */
const ROUNDS_MAX = 5;

export interface DueQueuesParts {
  readonly store: RedisStore;
  /** Runs a script in the place that says which queues are due. */
  readonly run: (name: ScriptName, args: readonly ScriptArgument[]) => Promise<unknown>;
}

type Claim = readonly [
  now: number,
  claimedUntil: number,
  isPassDue: number,
  numbers: readonly number[],
  next?: number,
  nextAt?: number,
];

/** What one sweep has found so far. */
class Findings {
  readonly max: number;
  now = 0;
  readonly messages: SweepResult['messages'][number][] = [];
  /** When queues are due that were looked at; 0: they are not. */
  readonly dueAt = new Map<number, number>();
  failure: Error | null = null;

  constructor(max: number) {
    this.max = max;
  }

  /** @param nextAt when a queue that was not looked at is due */
  result(nextAt = Infinity): SweepResult {
    const moments = [...this.dueAt.values()].filter((at) => at > 0);
    const soonest = Math.min(nextAt, ...moments);
    const nextIn = soonest === Infinity ? null : Math.max(0, soonest - this.now);
    return { messages: this.messages, nextIn };
  }
}

/**
 * Which queues of a cluster are due for the sweeper. Their scripts cannot note it where it is asked
 * for, so whoever called them does; what a process that died did not note is found by a look at all
 * queues every few minutes and after each failover, and whenever somebody touches the queue.
 */
export class DueQueues {
  readonly #parts: DueQueuesParts;
  /** What was noted last, by queue. */
  readonly #noted = new Map<number, number>();
  readonly #pending = new Map<number, number>();

  constructor(parts: DueQueuesParts) {
    this.#parts = parts;
  }

  /** A queue is due at a moment, in milliseconds since 1970. What comes together is noted together. */
  note(queueNumber: number, dueAt: number): void {
    if (this.#noted.get(queueNumber) === dueAt) return;
    this.#noted.set(queueNumber, dueAt);
    this.#pending.set(queueNumber, dueAt);
    if (this.#pending.size === 1) queueMicrotask(() => void this.#flush());
  }

  /** The contract's `sweep`, over all queues that are due. */
  async sweep(max: number): Promise<SweepResult> {
    const findings = new Findings(max);
    let also: number | undefined;
    let nextAt: number | undefined;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const claim = await this.#claim(also);
      const [now, , isPassDue, numbers] = claim;
      findings.now = now;
      const passed = isPassDue === 1 ? await this.#parts.store.queueNumbers() : [];
      await this.#sweepAll(new Set([...numbers, ...passed]), claim, findings);
      [, , , , also, nextAt] = claim;
      // What is noted may be too early: leases end before their time. So the first is looked at.
      const isFresh = also === undefined || findings.dueAt.get(also) === nextAt;
      if (isFresh || findings.messages.length >= max) break;
    }
    if (findings.failure !== null && findings.messages.length === 0) throw findings.failure;
    return findings.result(nextAt);
  }

  async #flush(): Promise<void> {
    const noted = [...this.#pending];
    this.#pending.clear();
    try {
      const words = noted.flatMap(([queueNumber, dueAt]) => [queueNumber, dueAt, 0]);
      await this.#parts.run('due-note', words);
    } catch {
      // Whoever touches the queue next says it again.
      for (const [queueNumber] of noted) this.#noted.delete(queueNumber);
    }
  }

  async #claim(also: number | undefined): Promise<Claim> {
    return (await this.#parts.run('due-claim', [CLAIM_MAX, also ?? ''])) as Claim;
  }

  async #sweepAll(
    queueNumbers: ReadonlySet<number>,
    [now, claimedUntil, , claimed]: Claim,
    findings: Findings,
  ): Promise<void> {
    if (queueNumbers.size === 0) return;
    const left = Math.max(1, findings.max - findings.messages.length);
    const each = Math.ceil(left / queueNumbers.size);
    const words = await Promise.all(
      [...queueNumbers].map(async (number) => {
        const dueAt = await this.#sweepOne(number, each, now, findings);
        return [number, dueAt, claimed.includes(number) ? claimedUntil : 0];
      }),
    );
    try {
      await this.#parts.run('due-note', words.flat());
    } catch (error) {
      // What was found is the caller's now; the claims end by themselves.
      findings.failure = storageError(error);
      for (const number of queueNumbers) this.#noted.delete(number);
    }
  }

  /** @returns when it is due next; 0: not */
  async #sweepOne(
    queueNumber: number,
    max: number,
    now: number,
    findings: Findings,
  ): Promise<number> {
    const { store } = this.#parts;
    let dueAt = now + RETRY_MS;
    try {
      await endOverdue(store, queueNumber);
      const { messages, nextIn } = await sweepQueue(store, queueNumber, max);
      findings.messages.push(...messages);
      dueAt = nextIn === null ? 0 : now + nextIn;
    } catch (error) {
      // The others are not to wait for a node that is away.
      findings.failure = storageError(error);
    }
    findings.dueAt.set(queueNumber, dueAt);
    this.#noted.set(queueNumber, dueAt);
    return dueAt;
  }
}
