import assert from 'node:assert/strict';
import type {
  Driver,
  LeasedMessage,
  NewMessage,
  PublishItem,
  PublishOutcome,
  QueueCounts,
  QueueRef,
  Receipt,
  ReleaseItem,
  StoredMessage,
  SweepResult,
  TakeRequest,
  TakeResult,
} from '../../core/driver.ts';
import type { MessageState } from '../../core/message.ts';
import type { CreateStore, SuiteStore } from './store.ts';
import { ManualClock } from '../manual-clock.ts';

/** The answer to a message that was stored, or had been before. */
export type StoredOutcome = Extract<
  PublishOutcome,
  { status: 'stored' | 'replaced' | 'duplicate' }
>;

export const LEASE_MS = 30_000;

const STATES: readonly MessageState[] = ['ready', 'scheduled', 'leased'];

/** A message with a body of this text and nothing else, but for what `fields` says. */
export function newMessage(text: string, fields: Partial<NewMessage> = {}): NewMessage {
  return {
    encoding: 'text',
    body: text,
    bytes: Buffer.byteLength(text),
    properties: null,
    priority: 0,
    delay: 0,
    deliverAt: null,
    ttl: null,
    groupId: null,
    deduplicationId: null,
    ...fields,
  };
}

export function receiptOf(queue: QueueRef, leased: LeasedMessage): Receipt {
  return { queue, id: leased.id, token: leased.lease.token };
}

export function textOf(message: StoredMessage): string {
  assert.equal(typeof message.body, 'string');
  return message.body as string;
}

export function textsOf(messages: readonly StoredMessage[]): string[] {
  return messages.map(textOf);
}

/** A driver on a store of its own, the clock it reads, and short words for what tests do most. */
export class Fixture {
  readonly clock: ManualClock;
  readonly #createStore: CreateStore;
  readonly #store: SuiteStore;
  #driver: Driver;
  readonly #queues = new Map<number, QueueRef>();

  private constructor(clock: ManualClock, createStore: CreateStore, store: SuiteStore) {
    this.clock = clock;
    this.#createStore = createStore;
    this.#store = store;
    this.#driver = store.connect();
  }

  /** @returns a fixture whose driver is open; `remove` it */
  static async create(createStore: CreateStore): Promise<Fixture> {
    const clock = new ManualClock();
    const fixture = new Fixture(clock, createStore, await createStore(clock));
    await fixture.#driver.open();
    return fixture;
  }

  get driver(): Driver {
    return this.#driver;
  }

  /** @returns another one like this, on a store and with a clock of its own */
  another(): Promise<Fixture> {
    return Fixture.create(this.#createStore);
  }

  async remove(): Promise<void> {
    await this.#driver.close();
    await this.#store.remove();
  }

  /** Closes the store and opens it again. */
  async reopen(): Promise<void> {
    await this.#driver.close();
    await this.#connect();
  }

  /** Ends the driver as a killed process would, and opens the store again. */
  async crash(): Promise<void> {
    const ended = this.#store.crash?.();
    assert.ok(ended, "the store has no crash(): declare the gap 'crash'");
    await ended;
    await this.#connect();
  }

  async #connect(): Promise<void> {
    this.#driver = this.#store.connect();
    await this.#driver.open();
  }

  /** Creates a queue without bounds or windows, but for what `limits` says. */
  async createQueue(name: string, limits: Partial<QueueRef> = {}): Promise<QueueRef> {
    const entry = await this.#driver.topology.put({ kind: 'queue', name, value: {} }, 0);
    assert.ok(entry, `queue '${name}' exists already`);
    const queue = unboundedQueue(name, entry.number, limits);
    this.#queues.set(queue.number, queue);
    return queue;
  }

  async deleteQueue(queue: QueueRef): Promise<number> {
    const { deleted, messages } = await this.#driver.deleteQueue(queue, { onlyIfEmpty: false });
    assert.ok(deleted);
    this.forgetQueue(queue);
    return messages;
  }

  /** Leaves a queue out of the check at the end, because it was deleted. */
  forgetQueue(queue: QueueRef): void {
    this.#queues.delete(queue.number);
  }

  /** Publishes one message to one queue, which must take it. @returns its id */
  async send(queue: QueueRef, text: string, fields: Partial<NewMessage> = {}): Promise<string> {
    const outcome = await this.publish([queue], newMessage(text, fields));
    assert.equal(outcome.status, 'stored', `'${text}' was not stored`);
    return outcome.id;
  }

  /** Publishes in one call; all must be taken. @returns their ids */
  async sendAll(
    queue: QueueRef,
    texts: readonly string[],
    fields: Partial<NewMessage> = {},
  ): Promise<string[]> {
    const items = texts.map((text) => ({ targets: [queue], message: newMessage(text, fields) }));
    const outcomes = await this.#driver.publish(items);
    return outcomes.map((outcome) => {
      assert.equal(outcome.status, 'stored');
      return outcome.id;
    });
  }

  async publish(targets: readonly QueueRef[], message: NewMessage): Promise<PublishOutcome> {
    const item: PublishItem = { targets, message };
    const outcomes = await this.#driver.publish([item]);
    assert.equal(outcomes.length, 1);
    return outcomes[0]!;
  }

  async take(
    queue: QueueRef,
    request: Partial<TakeRequest> = {},
  ): Promise<readonly LeasedMessage[]> {
    const { messages } = await this.takeResult(queue, request);
    return messages;
  }

  /** As `take`, with what the store says about its rate limits. */
  takeResult(queue: QueueRef, request: Partial<TakeRequest> = {}): Promise<TakeResult> {
    return this.#driver.take({
      queue,
      consumerId: 'consumer',
      max: 100,
      leaseDuration: LEASE_MS,
      bound: false,
      perGroup: 1,
      ...request,
    });
  }

  /** Takes exactly one message, which must be there. */
  async takeOne(queue: QueueRef, request: Partial<TakeRequest> = {}): Promise<LeasedMessage> {
    const messages = await this.take(queue, { max: 1, ...request });
    assert.equal(messages.length, 1, `nothing to take from '${queue.name}'`);
    return messages[0]!;
  }

  /** Takes whatever is ready. @returns the bodies, in order */
  async takeTexts(queue: QueueRef, request: Partial<TakeRequest> = {}): Promise<string[]> {
    return textsOf(await this.take(queue, request));
  }

  /** Ends a lease that must be held. */
  async settle(queue: QueueRef, leased: LeasedMessage): Promise<void> {
    assert.deepEqual(await this.#driver.settle([receiptOf(queue, leased)]), [], 'lease lost');
  }

  /** Gives back a message whose lease must be held: as a retry without delay unless told else. */
  async release(
    queue: QueueRef,
    leased: LeasedMessage,
    item: Partial<ReleaseItem> = {},
  ): Promise<void> {
    const receipt = receiptOf(queue, leased);
    const lost = await this.#driver.release([{ receipt, delay: 0, as: 'retry', ...item }]);
    assert.deepEqual(lost, [], 'lease lost');
  }

  async sweep(max = 1_000): Promise<SweepResult['messages']> {
    return (await this.#driver.sweep(max)).messages;
  }

  /** The stored message, which must be there. */
  async get(id: string): Promise<StoredMessage> {
    const message = await this.#driver.get(id);
    assert.ok(message, `message '${id}' is not stored`);
    return message;
  }

  /** Only ready, scheduled and leased; bytes and age have tests of their own. */
  async states(queue: QueueRef): Promise<Pick<QueueCounts, MessageState>> {
    const { ready, scheduled, leased } = await this.#driver.counts(queue);
    return { ready, scheduled, leased };
  }

  /** Everything stored in one state, in the order of `browse`, read in pages. */
  async browse(queue: QueueRef, state: MessageState, limit = 100): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#driver.browse({ queue, state, cursor, limit });
      assert.ok(page.messages.length <= limit, 'the page is longer than its limit');
      messages.push(...page.messages);
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    return messages;
  }

  /** G10 for every queue of the test: the counts are what a full scan finds. */
  async checkCounts(): Promise<void> {
    for (const queue of this.#queues.values()) {
      const counts = await this.#driver.counts(queue);
      let bytes = 0;
      for (const state of STATES) {
        const messages = await this.browse(queue, state);
        assert.equal(counts[state], messages.length, `G10: ${state} in '${queue.name}'`);
        for (const message of messages) {
          bytes += message.bytes;
          assert.deepEqual(await this.#driver.get(message.id), message, 'get differs from browse');
        }
      }
      assert.equal(counts.bytes, bytes, `G10: bytes in '${queue.name}'`);
      assert.equal(counts.oldestTimestamp === null, counts.ready === 0, 'G10: oldestTimestamp');
    }
  }
}

/** A queue without bounds or windows, but for what `limits` says. */
export function unboundedQueue(
  name: string,
  number: number,
  limits: Partial<QueueRef> = {},
): QueueRef {
  return {
    name,
    number,
    maxSize: Infinity,
    maxBytes: Infinity,
    boundOn: 'stored',
    overflow: 'reject',
    evictTo: null,
    messageTtl: null,
    maxPriority: 255,
    deduplicationWindow: 0,
    maxInFlight: Infinity,
    groupMaxInFlight: 1,
    rateLimit: null,
    groupRateLimit: null,
    partitions: 1,
    durable: true,
    ...limits,
  };
}

/** Gives what was set off time to arrive: a number of turns of the event loop, not of a clock. */
export async function eventually(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn += 1) await nextTurn();
  assert.ok(condition(), 'it did not come');
}

/** One turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
