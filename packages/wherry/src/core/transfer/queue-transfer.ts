import type { LeasedMessage, QueueRef, TakeRequest } from '../driver.ts';
import { BATCH_MAX, type BatchLabel, fenceValue, formatLabel } from './batch-label.ts';
import { carry } from './carry.ts';
import { publishFenced } from './fenced-publish.ts';
import { type Held, putBack, releaseAll, setAside } from './held.ts';
import { chooseBatch } from './next-batch.ts';
import { listPlaces, type Scheduled } from './places.ts';
import { needsReinstating, reinstate } from './reinstate.ts';
import type { Side } from './side.ts';
import { unfinishedBatches } from './unfinished.ts';

/** What became of the messages of a queue. */
export interface Tally {
  /** Gone at the source, and at the target. */
  moved: number;
  /** Of those: in the hands of a run that was killed. */
  finished: number;
  /** Put out at the target to make room, by the queue's own overflow policy. */
  evicted: number;
  /** Left at the source, out of reach of consumers: their bytes do not match their checksum. */
  damaged: number;
  /** The bound of the target's queue that kept the rest at the source. */
  refusal: 'maxSize' | 'maxBytes' | null;
}

/** Longer than any pause between a run that was killed and the one that goes on. */
const LEASE_MS = 3_600_000;
/** Of payloads in memory at once, as far as their average tells. */
const BATCH_BYTES = 16 * 1024 * 1024;
/** Followers of a group that are taken with their head: more are fewer calls, and may go back. */
const PER_GROUP = 64;

/**
 * Moves the messages of one queue from a store to another, in order, a batch at a time:
 *
 * 1. the source leases a batch to the run: nobody else gets these messages;
 * 2. the target stores them, under their ids and behind a fence: a second time is a duplicate, also
 *    when a consumer of the target has them done by then;
 * 3. the source settles them.
 *
 * A run that is killed leaves a batch leased. Its label names the run's fence and the batch's
 * number, and sequence gives each message its rank: so the next run publishes it just as the first
 * one did, and settles it. For that, what the target did not accept goes back before anything is
 * settled: then whatever is left of a batch has the ranks that it had, up to the last one accepted.
 */
export class QueueTransfer {
  readonly tally: Tally = { moved: 0, finished: 0, evicted: 0, damaged: 0, refusal: null };
  readonly #source: Side;
  readonly #target: Side;
  readonly #name: string;
  readonly #run: string;
  readonly #beforeBatch: (tally: Tally) => void;
  #batch = 0;

  /**
   * @param run drawn for this run, and never again
   * @param beforeBatch told what was done so far; what it throws ends the transfer in good order
   */
  constructor(
    sides: { readonly source: Side; readonly target: Side },
    name: string,
    run: string,
    beforeBatch: (tally: Tally) => void,
  ) {
    this.#source = sides.source;
    this.#target = sides.target;
    this.#name = name;
    this.#run = run;
    this.#beforeBatch = beforeBatch;
  }

  /**
   * Does what runs that were killed left undone.
   * @param pause waits longer than a run that lives looks the same
   * @throws TransferRunningError
   */
  async finishOthers(pause: () => Promise<void>): Promise<void> {
    const batches = await unfinishedBatches(this.#source.driver, this.#from(), pause);
    for (const { label, messages } of batches) {
      const before = this.tally.moved;
      await this.#finish(messages, label);
      this.tally.finished += this.tally.moved - before;
    }
  }

  /** Moves what is there now and in nobody's hands. */
  async pass(): Promise<void> {
    this.tally.refusal = null;
    const { ready, scheduled, leased, bytes } = await this.#source.driver.counts(this.#from());
    const stored = ready + scheduled + leased;
    if (stored === 0) return;
    const max = Math.ceil(Math.min(BATCH_MAX, BATCH_BYTES / Math.max(1, bytes / stored)));
    let waiting =
      scheduled === 0 ? [] : await listPlaces(this.#source.driver, this.#from(), 'scheduled');
    // No more than there was, so that it ends although producers go on.
    for (let left = stored; left > 0 && this.tally.refusal === null;) {
      this.#beforeBatch(this.tally);
      const done = await this.#moveBatch(max, waiting);
      if (done.moved === 0 && done.scheduled.size === 0) return;
      if (done.scheduled.size > 0) waiting = waiting.filter((one) => !done.scheduled.has(one));
      left -= done.moved;
    }
  }

  /** @returns how many it took in hand, and how many of the first that wait were among them */
  async #moveBatch(
    max: number,
    waiting: readonly Scheduled[],
  ): Promise<{ moved: number; scheduled: ReadonlySet<Scheduled> }> {
    const { driver } = this.#source;
    const label = { run: this.#run, batch: ++this.#batch };
    const request = this.#request(label, max);
    const { messages: ready } = await driver.take(request);
    const choice = chooseBatch(ready, waiting, { max, perGroup: request.perGroup });
    if (choice.putBack.length > 0) {
      const now = await driver.now();
      await releaseAll(
        driver,
        choice.putBack.map((message) => putBack(message, request.queue, now)),
      );
    }
    const ids = choice.scheduled.map(({ id }) => id);
    const { messages: due } =
      ids.length === 0 ? { messages: [] } : await driver.take({ ...request, ids });
    const taken = [...choice.keep, ...due];
    await this.#finish(await this.#setDamagedAside(taken), label);
    return { moved: taken.length, scheduled: new Set(choice.scheduled) };
  }

  /** What limits consumers does not limit the move. */
  #request(label: BatchLabel, max: number): TakeRequest {
    return {
      queue: { ...this.#from(), maxInFlight: Infinity, rateLimit: null, groupRateLimit: null },
      consumerId: formatLabel(label),
      max,
      leaseDuration: LEASE_MS,
      bound: false,
      perGroup: Math.min(max, PER_GROUP),
    };
  }

  async #setDamagedAside(messages: readonly LeasedMessage[]): Promise<readonly LeasedMessage[]> {
    const damaged = messages.filter((message) => message.damaged === true);
    if (damaged.length === 0) return messages;
    const queue = this.#from();
    await releaseAll(
      this.#source.driver,
      damaged.map((message) => setAside(message, queue)),
    );
    this.tally.damaged += damaged.length;
    return messages.filter((message) => message.damaged !== true);
  }

  async #finish(messages: readonly Held[], { run, batch }: BatchLabel): Promise<void> {
    if (messages.length === 0) return;
    const { driver } = this.#source;
    const [from, to] = [this.#from(), this.#target.topology.ref(this.#name)];
    const [sourceNow, targetNow] = await Promise.all([driver.now(), this.#target.driver.now()]);
    const { maxRetries } = this.#source.topology.queue(this.#name).settings;
    const ordered = messages.toSorted(bySequence);
    const items = ordered.map((message, rank) => ({
      ...carry(message, { sourceNow, targetNow, maxRetries }),
      fence: { key: `transfer/${run}`, value: fenceValue(batch, rank) },
    }));
    const { accepted, evicted, refusal } = await publishFenced(this.#target.driver, to, items);
    const refused = ordered.slice(accepted).map((message) => putBack(message, from, sourceNow));
    await releaseAll(driver, refused);
    const brought = ordered.slice(0, accepted);
    const special = brought.filter((message) => needsReinstating(message, sourceNow));
    await reinstate(this.#target.driver, to, special, sourceNow, LEASE_MS);
    const receipts = brought.map(({ id, lease }) => ({ queue: from, id, token: lease.token }));
    if (receipts.length > 0) await driver.settle(receipts);
    this.tally.moved += accepted;
    this.tally.evicted += evicted.length;
    this.tally.refusal = refusal;
  }

  #from(): QueueRef {
    return this.#source.topology.ref(this.#name);
  }
}

/** The order of a batch: the same for whoever has it in hand. */
function bySequence(a: Held, b: Held): number {
  return a.sequence - b.sequence || (a.id < b.id ? -1 : 1);
}
