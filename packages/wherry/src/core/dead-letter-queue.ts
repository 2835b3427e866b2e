import type { Clock } from './clock.ts';
import type { BrowseRequest, Driver, LeasedMessage, MoveItem, StoredMessage } from './driver.ts';
import { ClosedError, ValidationError } from './errors.ts';
import { type Events, tellEvicted } from './events.ts';
import type { DeathReason, Envelope, MessageState } from './message.ts';
import type { MessageBroker } from './message-broker.ts';
import type { QueueManager } from './queue-manager.ts';
import type { Settler } from './settler.ts';
import type { Sweeper } from './sweeper.ts';
import type { Topology } from './topology.ts';

export interface RedriveOptions {
  /** The dead-letter queue; the system's when left out. */
  readonly from?: string;
  /** Where to; left out: each message to the queue that it died in last. */
  readonly to?: string;
  /** Only these messages. */
  readonly ids?: readonly string[];
  /** Only those that died in this queue last. */
  readonly diedIn?: string;
  /** Only those that died of this last. */
  readonly reason?: DeathReason;
  /** At most so many. */
  readonly max?: number;
  /** At most so many a second: 0.001 or more. */
  readonly rate?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RedriveResult) => void;
}

export interface RedriveResult {
  readonly moved: number;
  /** Left where they are: their queue is gone or full, or somebody else holds them. */
  readonly skipped: number;
}

export interface DeadLetterParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly events: Events;
  readonly clock: Clock;
  readonly broker: MessageBroker;
  readonly settler: Settler;
  readonly sweeper: Sweeper;
  readonly queues: QueueManager;
}

const PAGE = 500;
/** One in a quarter of an hour: a slower one would look like one that hangs. */
const RATE_MIN = 0.001;
const REDRIVER = '#redrive';
const LEASE_MS = 30_000;
const STATES: readonly MessageState[] = ['ready', 'scheduled'];

/** The dead letters: look at them, send them back, throw them away. */
export class DeadLetterQueue {
  /** The system's dead-letter queue: for all queues that name none of their own. */
  readonly queueName: string;
  readonly #parts: DeadLetterParts;
  readonly #closing = new AbortController();

  constructor(queueName: string, parts: DeadLetterParts) {
    this.queueName = queueName;
    this.#parts = parts;
  }

  /** Creates the system's dead-letter queue when it is missing. */
  async initialize(): Promise<void> {
    if (this.#parts.topology.findQueue(this.queueName) !== undefined) return;
    await this.#parts.queues.createQueue({ name: this.queueName });
  }

  /**
   * A page of dead letters, those waiting for consumers first, then the parked ones.
   * @param options.limit 1 to 1,000 messages; the page may be shorter without being the last
   */
  async list(
    queueName: string = this.queueName,
    options: { readonly cursor?: string; readonly limit?: number } = {},
  ): Promise<{ messages: Envelope[]; cursor: string | null }> {
    const { state, cursor } = splitCursor(options.cursor);
    const limit = options.limit ?? 100;
    const page = await this.#parts.broker.browse(queueName, { state, cursor, limit });
    if (page.cursor !== null) return { ...page, cursor: `${state}:${page.cursor}` };
    return { ...page, cursor: state === 'ready' ? 'scheduled:' : null };
  }

  /**
   * Sends dead letters back, with their retries reset and their deaths kept (G7: each is in one of
   * the two queues at every moment).
   * @throws QueueNotFoundError, ValidationError; ClosedError when the system is closed meanwhile
   */
  async redrive(options: RedriveOptions = {}): Promise<RedriveResult> {
    const { max = Infinity, rate = Infinity, ids, signal, onProgress } = options;
    if (!(rate >= RATE_MIN)) {
      throw new ValidationError(`rate is ${rate}; it must be ${RATE_MIN} a second or more.`);
    }
    if (!(max >= 0)) throw new ValidationError(`max is ${max}; it must be 0 or more.`);
    if (options.to !== undefined) this.#parts.topology.ref(options.to);
    let moved = 0;
    let skipped = 0;
    const started = this.#parts.clock.now();
    const pageSize = Math.min(PAGE, Math.max(1, Math.floor(rate)));
    for await (const page of this.#pages(options.from ?? this.queueName, ids, pageSize)) {
      this.#checkGoing(signal);
      const meant = page.filter((message) => isMeant(message, options));
      const chosen = meant.slice(0, max - moved);
      const done = await this.#moveBack(chosen, options);
      moved += done;
      skipped += chosen.length - done;
      onProgress?.({ moved, skipped });
      if (moved >= max) break;
      const dueMs = started + (moved / rate) * 1_000 - this.#parts.clock.now();
      if (dueMs > 0) await this.#sleep(dueMs, signal);
      this.#checkGoing(signal);
    }
    return { moved, skipped };
  }

  /** For the system: ends the redrives under way. */
  close(): void {
    this.#closing.abort();
  }

  /** Throws dead letters away. @returns how many */
  purge(queueName: string = this.queueName): Promise<number> {
    return this.#parts.queues.purgeQueue(queueName);
  }

  async *#pages(from: string, ids: readonly string[] | undefined, limit: number) {
    const { driver, topology } = this.#parts;
    const queue = topology.ref(from);
    if (ids !== undefined) {
      for (let i = 0; i < ids.length; i += limit) {
        const found = await Promise.all(ids.slice(i, i + limit).map((id) => driver.get(id)));
        const here = found.filter((stored) => stored?.queueName === from) as StoredMessage[];
        yield here;
      }
      return;
    }
    for (const state of STATES) {
      let cursor: string | undefined;
      do {
        const request: BrowseRequest = { queue, state, limit, cursor };
        const page = await driver.browse(request);
        cursor = page.cursor ?? undefined;
        yield page.messages;
      } while (cursor !== undefined);
    }
  }

  async #moveBack(page: readonly StoredMessage[], options: RedriveOptions): Promise<number> {
    const { driver, topology, events, sweeper } = this.#parts;
    if (page.length === 0) return 0;
    const from = topology.ref(options.from ?? this.queueName);
    const { messages: leased } = await driver.take({
      queue: from,
      consumerId: REDRIVER,
      max: page.length,
      leaseDuration: LEASE_MS,
      bound: true,
      perGroup: Infinity,
      ids: page.map((message) => message.id),
    });
    sweeper.expectWithin(LEASE_MS);
    const items: MoveItem[] = [];
    for (const message of leased) {
      const receipt = { queue: from, id: message.id, token: message.lease.token };
      const to = options.to ?? message.deaths.at(-1)?.queue;
      if (to === undefined || to === from.name || topology.findQueue(to) === undefined) {
        this.#leave(receipt, message);
      } else items.push({ receipt, targets: topology.targets(to) });
    }
    const outcomes = items.length === 0 ? [] : await driver.move(items);
    let moved = 0;
    outcomes.forEach((outcome, i) => {
      const { receipt, targets } = items[i] as MoveItem;
      if (outcome.status === 'moved') {
        moved++;
        tellEvicted(events, outcome.evicted);
        sweeper.expectMoved(targets[0]!);
        const queue = targets[0]!.name;
        events.count(queue, 'enqueued');
        if (events.listens('enqueued')) events.emit('enqueued', { queue, id: receipt.id });
      } else if (outcome.status !== 'lost') {
        this.#leave(
          receipt,
          leased.find((message) => message.id === receipt.id)!,
        );
      }
    });
    await this.#parts.settler.idle();
    return moved;
  }

  /** Back to where it was, parked if it was parked. */
  #leave(receipt: MoveItem['receipt'], stored: LeasedMessage): void {
    const held = { ...receipt, stored };
    const takenAt = stored.lease.until - LEASE_MS;
    this.#parts.settler.restore(held, takenAt, (_held, error) => {
      if (error === null) return;
      const { name } = receipt.queue;
      this.#parts.events.emit('consumerError', { queue: name, consumerId: REDRIVER, error });
    });
  }

  #checkGoing(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw new ClosedError('The message queue system');
  }

  /** Until the time is over, or nobody waits for it any more. */
  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    if (signals.some(({ aborted }) => aborted)) return;
    let wake = (): void => {};
    const woken = new Promise<void>((resolve) => (wake = resolve));
    const timer = this.#parts.clock.setTimer(wake, ms);
    for (const one of signals) one.addEventListener('abort', wake);
    await woken;
    timer.cancel();
    for (const one of signals) one.removeEventListener('abort', wake);
  }
}

function isMeant({ deaths }: StoredMessage, { diedIn, reason }: RedriveOptions): boolean {
  const last = deaths.at(-1);
  return (
    (diedIn === undefined || last?.queue === diedIn) &&
    (reason === undefined || last?.reason === reason)
  );
}

function splitCursor(cursor: string | undefined): {
  state: MessageState;
  cursor: string | undefined;
} {
  if (cursor === undefined) return { state: 'ready', cursor: undefined };
  const colon = cursor.indexOf(':');
  const state = cursor.slice(0, colon);
  if (state !== 'ready' && state !== 'scheduled') {
    throw new ValidationError(`cursor is '${cursor}'; give the one that the last page answered.`);
  }
  return { state, cursor: cursor.slice(colon + 1) || undefined };
}
