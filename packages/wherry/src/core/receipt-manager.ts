import type { Driver, LeasedMessage, Receipt } from './driver.ts';
import { type Duration, durationToMs } from './duration.ts';
import { LeaseLostError, type MessageQueueError, ValidationError } from './errors.ts';
import type { Failure } from './failure-policy.ts';
import { LEASE_MIN_MS, type Limits, checkFields, checkInteger, show } from './limits.ts';
import { type QueueLike, queueNameOf } from './queue.ts';
import { decodeReceipt } from './receipt.ts';
import type { Done, Held } from './held.ts';
import type { Settler } from './settler.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';

/** The answer to one receipt. */
export type ReceiptResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly error: MessageQueueError };

/** How a message failed, by its receipt. */
export interface Rejection {
  readonly receipt: string;
  /** Kept with the message's death, should it die of this. */
  readonly reason?: string;
  /** Until it is tried again, instead of the queue's back-off. */
  readonly delay?: Duration;
  /** Back at once, without counting as a retry. */
  readonly requeue?: boolean;
  /** Straight to the dead letters. */
  readonly deadLetter?: boolean;
}

export interface ReceiptOptions {
  /** Receipts of other queues are refused. */
  readonly queue?: QueueLike;
}

export interface ReceiptManagerParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly settler: Settler;
  readonly sweeper: Sweeper;
  readonly limits: Limits;
}

const REJECTION_FIELDS: readonly (keyof Rejection)[] = [
  'receipt',
  'reason',
  'delay',
  'requeue',
  'deadLetter',
];
/** Look-ups under way at once. */
const LOOKUPS = 64;

/**
 * Ends and prolongs leases by receipt (`delivery.receipt`): for holders who keep a text rather than
 * a delivery, such as clients of a server. What is given together becomes one call of the store,
 * answered one by one. A receipt that is wrong, late, or of another queue is a `LeaseLostError`,
 * and changes nothing (G4).
 */
export class ReceiptManager {
  readonly #parts: ReceiptManagerParts;

  constructor(parts: ReceiptManagerParts) {
    this.#parts = parts;
  }

  /** Done: the messages are gone. @throws ValidationError when it is no array, or too long */
  acknowledge(receipts: readonly string[], options: ReceiptOptions = {}): Promise<ReceiptResult[]> {
    const held = this.#readAll(receipts, options);
    return answerEach(held, (receipt, done) => this.#parts.settler.settle(receipt, done));
  }

  /**
   * Failed: each is tried again, dead-lettered or given back, as its item says.
   * @throws ValidationError when an item is wrong; then nothing was done
   */
  async reject(
    items: readonly Rejection[],
    options: ReceiptOptions = {},
  ): Promise<ReceiptResult[]> {
    this.#checkBatch(items);
    const ways = items.map(wayOf);
    const held = this.#readAll(
      items.map((item) => item.receipt),
      options,
    );
    const { settler } = this.#parts;
    const stored = await this.#lookUp(held, ways);
    return answerEach(held, (receipt, done, i) => {
      const way = ways[i]!;
      const message = stored[i];
      if (way === 'requeue') settler.giveBack(receipt, 'requeue', done);
      else if (message === undefined) done(receipt, new LeaseLostError(receipt.id));
      else {
        const whole: Held = { ...receipt, stored: message };
        settler.settleFailure(whole, way, true, (_held, error) => done(receipt, error));
      }
    });
  }

  /** Given back unseen: nothing is counted. */
  giveBack(receipts: readonly string[], options: ReceiptOptions = {}): Promise<ReceiptResult[]> {
    const held = this.#readAll(receipts, options);
    return answerEach(held, (receipt, done) => {
      this.#parts.settler.giveBack(receipt, 'unstarted', done);
    });
  }

  /**
   * The leases end `leaseDuration` from now.
   * @throws ValidationError, StorageError
   */
  async extend(
    receipts: readonly string[],
    leaseDuration: Duration,
    options: ReceiptOptions = {},
  ): Promise<ReceiptResult[]> {
    const ms = durationToMs(leaseDuration, 'leaseDuration', LEASE_MIN_MS);
    const held = this.#readAll(receipts, options);
    const known = held.filter((one): one is Receipt => !(one instanceof LeaseLostError));
    const items = known.map((receipt) => ({ receipt, leaseDuration: ms }));
    const lost = items.length === 0 ? [] : await this.#parts.driver.extend(items);
    this.#parts.sweeper.expectWithin(ms);
    const lostReceipts = new Set<Receipt | undefined>(lost.map((i) => known[i]));
    return answerEach(held, (receipt, done) => {
      done(receipt, lostReceipts.has(receipt) ? new LeaseLostError(receipt.id) : null);
    });
  }

  #checkBatch(batch: readonly unknown[]): void {
    if (!Array.isArray(batch)) throw new ValidationError(`Give an array; got ${show(batch)}.`);
    checkInteger(batch.length, 'The number of receipts', 0, this.#parts.limits.batchSize);
  }

  #readAll(
    receipts: readonly string[],
    { queue }: ReceiptOptions,
  ): readonly (Receipt | LeaseLostError)[] {
    this.#checkBatch(receipts);
    const name = queue === undefined ? undefined : queueNameOf(queue);
    return receipts.map((text) => this.#read(text, name));
  }

  #read(text: unknown, queueName: string | undefined): Receipt | LeaseLostError {
    const parts = decodeReceipt(text);
    if (parts === null) return new LeaseLostError(String(text).slice(0, 100));
    const { topology } = this.#parts;
    const { queueNumber, id, token } = parts;
    const queue = topology.queueByNumber(queueNumber);
    const isForeign = queueName !== undefined && queue?.name !== queueName;
    if (queue === undefined || isForeign) return new LeaseLostError(id);
    return { queue: topology.ref(queue.name), id, token };
  }

  /** The messages as stored, where they are needed and still held with these very leases. */
  async #lookUp(
    held: readonly (Receipt | LeaseLostError)[],
    ways: readonly (Failure | 'requeue')[],
  ): Promise<(LeasedMessage | undefined)[]> {
    const found: (LeasedMessage | undefined)[] = [];
    for (let begin = 0; begin < held.length; begin += LOOKUPS) {
      const some = held.slice(begin, begin + LOOKUPS);
      const messages = some.map(async (receipt, i) =>
        ways[begin + i] === 'requeue' ? undefined : this.#heldWith(receipt),
      );
      found.push(...(await Promise.all(messages)));
    }
    return found;
  }

  async #heldWith(receipt: Receipt | LeaseLostError): Promise<LeasedMessage | undefined> {
    if (receipt instanceof LeaseLostError) return undefined;
    const stored = await this.#parts.driver.get(receipt.id);
    const isHeld =
      stored?.lease?.token === receipt.token && stored.queueName === receipt.queue.name;
    return isHeld ? (stored as LeasedMessage) : undefined;
  }
}

/** @throws ValidationError */
function wayOf(item: Rejection, i: number): Failure | 'requeue' {
  checkFields(item, REJECTION_FIELDS, `items[${i}]`);
  const { reason, delay, requeue = false, deadLetter = false } = item;
  if ([requeue, deadLetter, delay !== undefined].filter(Boolean).length > 1) {
    throw new ValidationError(
      `items[${i}]: requeue, deadLetter and delay exclude each other; give one of them.`,
    );
  }
  if (requeue) return 'requeue';
  if (deadLetter) return { kind: 'rejected', error: reason };
  if (delay !== undefined) durationToMs(delay, `items[${i}].delay`);
  return { kind: 'failed', error: reason, delay };
}

/** Starts each, and resolves with all answers, in order. */
function answerEach(
  receipts: readonly (Receipt | LeaseLostError)[],
  start: (receipt: Receipt, done: Done<Receipt>, index: number) => void,
): Promise<ReceiptResult[]> {
  return new Promise((resolve) => {
    const results: ReceiptResult[] = [];
    let open = receipts.length;
    const answer = (i: number, error: Error | null): void => {
      results[i] = error === null ? { ok: true } : { ok: false, error: error as MessageQueueError };
      if (--open === 0) resolve(results);
    };
    if (open === 0) resolve(results);
    receipts.forEach((receipt, i) => {
      if (receipt instanceof LeaseLostError) answer(i, receipt);
      else start(receipt, (_held, error) => answer(i, error), i);
    });
  });
}
