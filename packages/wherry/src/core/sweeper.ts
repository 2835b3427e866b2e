import type { Clock, Timer } from './clock.ts';
import type { Driver, PublishItem, QueueRef, SweptMessage } from './driver.ts';
import { StorageError } from './errors.ts';
import type { Events } from './events.ts';
import type { Settler } from './settler.ts';
import type { Topology } from './topology.ts';

const BATCH = 1_000;
/** After a failed sweep. */
const RETRY_MS = 1_000;
/** A sweep this often is due whatever is known. */
const IDLE_MS = 60_000;
/** The same where other processes make deadlines too, and may die before they act on them. */
const SHARED_IDLE_MS = 5_000;
/** Deadlines that fall together are swept together. */
const GRAIN_MS = 5;

/**
 * Acts when time passes: ends leases that ran out, expires messages, makes due ones ready. It
 * sleeps until the next deadline that it knows of.
 */
export class Sweeper {
  readonly #driver: Driver;
  readonly #topology: Topology;
  readonly #events: Events;
  readonly #clock: Clock;
  #settler: Settler | null = null;
  #timer: Timer | null = null;
  #dueAt = Infinity;
  #running: Promise<void> | null = null;
  /** Something came due while a sweep was under way. */
  #again = false;
  #closed = false;

  constructor(driver: Driver, topology: Topology, events: Events, clock: Clock) {
    this.#driver = driver;
    this.#topology = topology;
    this.#events = events;
    this.#clock = clock;
  }

  /** Begins, with a sweep at once: what a crash left behind is decided on before anything else. */
  async start(settler: Settler): Promise<void> {
    this.#settler = settler;
    await this.sweep();
  }

  /** Something will be due `ms` from now. Before the start it goes without saying: that sweeps all. */
  expectWithin(ms: number): void {
    if (ms === Infinity || this.#closed || this.#settler === null) return;
    const at = this.#clock.now() + ms;
    if (at < this.#dueAt) this.#schedule(at);
  }

  /** A message was stored that may have deadlines. */
  expectPublished({ message, targets }: PublishItem): void {
    let wait = message.delay;
    if (message.deliverAt !== null) wait = message.deliverAt - this.#clock.now();
    if (wait > 0) this.expectWithin(wait);
    let ttl = message.ttl ?? Infinity;
    for (const target of targets) ttl = Math.min(ttl, target.messageTtl ?? Infinity);
    if (ttl !== Infinity) this.expectWithin(Math.max(0, wait) + ttl);
  }

  /** A message was moved there: the queue's TTL has begun. */
  expectMoved({ messageTtl }: QueueRef): void {
    if (messageTtl !== null) this.expectWithin(messageTtl);
  }

  /** Sweeps now, until nothing is due. */
  sweep(): Promise<void> {
    if (this.#running !== null) this.#again = true;
    this.#running ??= this.#sweepAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #sweepAll(): Promise<void> {
    do {
      this.#again = false;
      await this.#sweepOnce();
    } while (this.#again && !this.#closed);
  }

  async #sweepOnce(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    this.#dueAt = Infinity;
    let nextIn: number | null = 0;
    try {
      while (nextIn === 0 && !this.#closed) {
        const result = await this.#driver.sweep(BATCH);
        nextIn = result.nextIn;
        await Promise.all(result.messages.map((message) => this.#decide(message)));
      }
    } catch (error) {
      this.#report(error);
      nextIn = RETRY_MS;
    }
    if (this.#closed) return;
    const idle = this.#driver.supports.shared ? SHARED_IDLE_MS : IDLE_MS;
    const at = this.#clock.now() + Math.min(nextIn ?? idle, idle);
    if (at < this.#dueAt) this.#schedule(at);
  }

  #schedule(at: number): void {
    this.#dueAt = at;
    this.#timer?.cancel();
    const wait = Math.max(GRAIN_MS, at - this.#clock.now());
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      this.#dueAt = Infinity;
      void this.sweep();
    }, wait);
  }

  async #decide(message: SweptMessage & { readonly queue: number }): Promise<void> {
    const queue = this.#topology.queueByNumber(message.queue);
    if (queue === undefined) return;
    const ref = this.#topology.ref(queue.name);
    const held = { queue: ref, id: message.id, token: message.lease.token, stored: message };
    const started = message.cause === 'lease-expired';
    if (started) this.#tellLeaseLost(queue.name, message.id);
    await new Promise<void>((resolve) => {
      this.#settler?.settleFailure(held, { kind: message.cause }, started, (_held, error) => {
        // Whatever went wrong, the sweeper's own lease will run out and it comes again.
        if (error !== null) this.#report(error);
        resolve();
      });
    });
  }

  #tellLeaseLost(queue: string, id: string): void {
    this.#events.count(queue, 'leaseLost');
    if (this.#events.listens('leaseLost')) {
      this.#events.emit('leaseLost', { queue, id, consumerId: null });
    }
  }

  #report(error: unknown): void {
    if (error instanceof StorageError && this.#closed) return;
    this.#events.emit('consumerError', { queue: '', consumerId: '#sweeper', error });
  }
}
