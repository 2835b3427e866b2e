import assert from 'node:assert/strict';
import type {
  Driver,
  LeasedMessage,
  MoveItem,
  NewMessage,
  PublishOutcome,
  QueueRef,
  ReleaseItem,
  StoredMessage,
  TakeRequest,
} from '../../core/driver.ts';
import { createMemoryDriver } from '../../drivers/memory/index.ts';
import { type Fixture, newMessage, receiptOf } from './fixture.ts';
import { type LeasePair, LeasePool, type QueuePair } from './lease-pool.ts';

export interface PublishSpec {
  readonly queues: readonly number[];
  readonly message: Partial<NewMessage>;
}

export interface TakeSpec extends Pick<
  TakeRequest,
  'max' | 'leaseDuration' | 'bound' | 'perGroup'
> {
  readonly queue: number;
}

/** What of a queue changes while a history runs. */
export type FlowLimits = Pick<
  QueueRef,
  'boundOn' | 'maxInFlight' | 'groupMaxInFlight' | 'rateLimit' | 'groupRateLimit'
>;

/** Queues in which bounds, evictions, windows and TTLs meet within a few messages. */
const DEAD: Partial<QueueRef> = { maxSize: 4, maxPriority: 2 };
const LIMITS: readonly Partial<QueueRef>[] = [
  { deduplicationWindow: 1_000 },
  {
    maxSize: 6,
    maxPriority: 1,
    messageTtl: 400,
    deduplicationWindow: 300,
    maxInFlight: 3,
    groupMaxInFlight: 2,
  },
  { maxSize: 5, maxBytes: 40, overflow: 'drop-oldest', rateLimit: { max: 3, per: 300 } },
];
/** The one that drops its oldest. */
export const QUEUE_DROPPING: number = LIMITS.findIndex(({ overflow }) => overflow !== undefined);
/** The one that gets what is dropped. */
export const QUEUE_DEAD: number = LIMITS.length;
export const QUEUE_COUNT: number = LIMITS.length + 1;
/** The dead letters stay: another queue names them. */
export const DELETABLE_QUEUES: number = 2;

const STATES = ['ready', 'scheduled', 'leased'] as const;

/** The driver under test and the memory driver, doing the same at the same time. */
export class Twins {
  readonly #fixture: Fixture;
  readonly #model: Driver;
  readonly #queues: QueuePair[] = [];
  readonly #leases = new LeasePool();
  /** From the real driver's ids to the model's. */
  readonly #ids = new Map<string, string>();
  #sent = 0;

  private constructor(fixture: Fixture) {
    this.#fixture = fixture;
    this.#model = createMemoryDriver({ clock: fixture.clock });
  }

  static async create(fixture: Fixture): Promise<Twins> {
    const twins = new Twins(fixture);
    await twins.#model.open();
    const dead = await twins.#createQueue('queue 3', DEAD, null);
    for (const [index, limits] of LIMITS.entries()) {
      // Those that refuse have a dead-letter queue too, and must leave it alone.
      twins.#queues.push(await twins.#createQueue(`queue ${index}`, limits, dead));
    }
    twins.#queues[QUEUE_DEAD] = dead;
    return twins;
  }

  async publish(specs: readonly PublishSpec[], atomic: boolean): Promise<void> {
    const texts = specs.map(() => `message ${(this.#sent += 1)}`);
    const items = (side: keyof QueuePair) =>
      specs.map(({ queues, message }, index) => ({
        targets: queues.map((queue) => this.#queues[queue]![side]),
        message: newMessage(texts[index]!, message),
      }));
    const expected = await this.#model.publish(items('model'), { atomic });
    const actual = await this.#real.publish(items('real'), { atomic });
    for (const [index, outcome] of actual.entries()) this.#learn(expected[index]!, outcome);
    assert.deepEqual(
      actual.map((outcome) => this.#translate(outcome)),
      expected,
    );
  }

  async take({ queue, ...spec }: TakeSpec): Promise<void> {
    const pair = this.#queues[queue]!;
    const request = { ...spec, consumerId: 'consumer' };
    const expected = await this.#model.take({ ...request, queue: pair.model });
    const actual = await this.#real.take({ ...request, queue: pair.real });
    assert.equal(actual.retryIn, expected.retryIn);
    this.#lease(pair, expected.messages, actual.messages, spec.bound ? 'bound' : 'unbound');
  }

  /** Leases what these picks find among all that is stored in the queue. */
  async takeByIds(queue: number, picks: readonly number[], bound: boolean): Promise<void> {
    const pair = this.#queues[queue]!;
    const stored: string[] = [];
    for (const state of STATES)
      stored.push(...(await this.#browse(pair, state)).map(({ id }) => id));
    if (stored.length === 0) return;
    const ids = [...new Set(picks.map((pick) => stored[pick % stored.length]!))];
    const modelIds = ids.map((id) => this.#modelId(id));
    const request = { consumerId: 'by id', max: 100, leaseDuration: 500, perGroup: 1, bound };
    const expected = await this.#model.take({ ...request, queue: pair.model, ids: modelIds });
    const actual = await this.#real.take({ ...request, queue: pair.real, ids });
    const order = (message: LeasedMessage): number => modelIds.indexOf(this.#modelId(message.id));
    const inOrder = (messages: readonly LeasedMessage[]) =>
      messages.toSorted((a, b) => order(a) - order(b));
    this.#lease(
      pair,
      inOrder(expected.messages),
      inOrder(actual.messages),
      bound ? 'bound' : 'unbound',
    );
  }

  /** As `updateQueue` does: who calls from now on says so; leases keep what they were given. */
  setLimits(queue: number, limits: FlowLimits): void {
    const { model, real } = this.#queues[queue]!;
    this.#queues[queue] = { model: { ...model, ...limits }, real: { ...real, ...limits } };
  }

  async settle(picks: readonly number[]): Promise<void> {
    await this.#settle(this.#leases.pick(picks));
  }

  async release(picks: readonly number[], item: Omit<ReleaseItem, 'receipt'>): Promise<void> {
    const leases = this.#leases.pick(picks);
    const items = (side: keyof QueuePair) =>
      leases.map((lease) => ({ ...item, receipt: receiptOf(lease.queue[side], lease[side]) }));
    const lost = await this.#model.release(items('model'));
    assert.deepEqual(await this.#real.release(items('real')), lost);
    this.#leases.endAll(leases);
  }

  async extend(picks: readonly number[], leaseDuration: number): Promise<void> {
    const leases = this.#leases.pick(picks);
    const items = (side: keyof QueuePair) =>
      leases.map((lease) => ({
        leaseDuration,
        receipt: receiptOf(lease.queue[side], lease[side]),
      }));
    const expected = await this.#model.extend(items('model'));
    assert.deepEqual(await this.#real.extend(items('real')), expected);
  }

  async move(
    picks: readonly number[],
    queues: readonly number[],
    death: MoveItem['death'],
  ): Promise<void> {
    const leases = this.#leases.pick(picks);
    const items = (side: keyof QueuePair) =>
      leases.map((lease) => ({
        receipt: receiptOf(lease.queue[side], lease[side]),
        targets: queues.map((queue) => this.#queues[queue]![side]),
        ...(death !== undefined && { death }),
      }));
    const expected = await this.#model.move(items('model'));
    const actual = await this.#real.move(items('real'));
    for (const [index, outcome] of actual.entries()) {
      const other = expected[index]!;
      if (outcome.status !== 'moved' || other.status !== 'moved') continue;
      for (const [copy, id] of outcome.ids.entries()) this.#ids.set(id, other.ids[copy]!);
    }
    const translated = actual.map((outcome) => {
      if (outcome.status !== 'moved') return outcome;
      const ids = outcome.ids.map((id) => this.#modelId(id));
      if (outcome.evicted === undefined) return { ...outcome, ids };
      const evicted = outcome.evicted.map((one) => ({ ...one, id: this.#modelId(one.id) }));
      return { ...outcome, ids, evicted };
    });
    assert.deepEqual(translated, expected);
    const refused = expected.flatMap(({ status }, index) => (status === 'full' ? [index] : []));
    this.#leases.endAll(leases, refused);
  }

  async sweep(): Promise<void> {
    const expected = await this.#model.sweep(10_000);
    const actual = await this.#real.sweep(10_000);
    const wakeUp = (nextIn: number | null): number => nextIn ?? Infinity;
    assert.ok(wakeUp(actual.nextIn) <= wakeUp(expected.nextIn), 'the next sweep comes too late');
    const byId = <T extends LeasedMessage>(messages: readonly T[]): T[] =>
      messages.toSorted((a, b) => (this.#modelId(a.id) < this.#modelId(b.id) ? -1 : 1));
    const models = byId(expected.messages);
    const reals = byId(actual.messages);
    assert.deepEqual(
      reals.map(({ id, cause }) => ({ id: this.#modelId(id), cause })),
      models.map(({ id, cause }) => ({ id, cause })),
    );
    for (const [index, { cause, queue, ...model }] of models.entries()) {
      const pair = this.#queues.find((one) => one.model.number === queue)!;
      const { cause: _, queue: realQueue, ...real } = reals[index]!;
      assert.equal(realQueue, pair.real.number);
      this.#lease(pair, [model], [real], cause === 'expired' ? 'sweeper of TTLs' : 'bound');
    }
  }

  advance(ms: number): void {
    this.#fixture.clock.advance(ms);
  }

  async purge(queue: number): Promise<void> {
    const pair = this.#queues[queue]!;
    const expected = await this.#model.purge(pair.model);
    assert.equal(await this.#real.purge(pair.real), expected);
  }

  async deleteAndRemake(queue: number, onlyIfEmpty: boolean): Promise<void> {
    const pair = this.#queues[queue]!;
    const expected = await this.#model.deleteQueue(pair.model, { onlyIfEmpty });
    assert.deepEqual(await this.#real.deleteQueue(pair.real, { onlyIfEmpty }), expected);
    if (!expected.deleted) return;
    this.#fixture.forgetQueue(pair.real);
    this.#queues[queue] = await this.#createQueue(pair.model.name, LIMITS[queue]!, null);
  }

  /**
   * The model ends the leases that end with their driver; then both are swept, as core does. What a
   * sweeper holds for its TTL is settled before: a restart sets it free, in the model it would stay
   * outside its group until it is swept again.
   */
  async restart(how: 'reopen' | 'crash'): Promise<void> {
    // A sweeper that let its lease end has it again.
    await this.sweep();
    await this.#settle(this.#leases.heldBy('sweeper of TTLs'));
    // Where several processes have the store open, such leases go on until their time.
    const ended = this.#real.supports.shared ? [] : this.#leases.heldBy('bound');
    const items = ended.map(({ queue, model }) => ({
      receipt: receiptOf(queue.model, model),
      leaseDuration: 0,
    }));
    await this.#model.extend(items);
    await this.#fixture[how]();
    await this.sweep();
  }

  /** Everything that can be seen is the same on both sides. */
  async compare(): Promise<void> {
    for (const pair of this.#queues) {
      const expected = await this.#model.counts(pair.model);
      const actual = await this.#real.counts(pair.real);
      assert.deepEqual(actual, expected, `counts of ${pair.model.name}`);
      for (const state of STATES) {
        const page = { queue: pair.model, state, limit: 1_000 };
        const models = (await this.#model.browse(page)).messages;
        const reals = await this.#browse(pair, state);
        const what = `${state} in ${pair.model.name}`;
        assert.deepEqual(this.#inOneOrder(reals), this.#inOneOrder(models), what);
        assert.deepEqual(this.#ungrouped(reals), this.#ungrouped(models), `order of ${what}`);
      }
    }
  }

  get #real(): Driver {
    return this.#fixture.driver;
  }

  async #createQueue(
    name: string,
    limits: Partial<QueueRef>,
    evictTo: QueuePair | null,
  ): Promise<QueuePair> {
    const entry = await this.#model.topology.put({ kind: 'queue', name, value: {} }, 0);
    const real = await this.#fixture.createQueue(name, limits);
    const model = { ...real, number: entry!.number };
    if (evictTo === null) return { model, real };
    return {
      model: { ...model, evictTo: evictTo.model },
      real: { ...real, evictTo: evictTo.real },
    };
  }

  async #browse(pair: QueuePair, state: (typeof STATES)[number]): Promise<StoredMessage[]> {
    return this.#fixture.browse(pair.real, state, 1_000);
  }

  async #settle(leases: readonly LeasePair[]): Promise<void> {
    const receipts = (side: keyof QueuePair) =>
      leases.map((lease) => receiptOf(lease.queue[side], lease[side]));
    const lost = await this.#model.settle(receipts('model'));
    assert.deepEqual(await this.#real.settle(receipts('real')), lost);
    this.#leases.endAll(leases);
  }

  #lease(
    queue: QueuePair,
    models: readonly LeasedMessage[],
    reals: readonly LeasedMessage[],
    holder: LeasePair['holder'],
  ): void {
    assert.deepEqual(
      reals.map((message) => this.#visible(message)),
      models.map((message) => this.#visible(message)),
    );
    for (const [index, model] of models.entries()) {
      this.#leases.add({ queue, model, real: reals[index]!, holder });
    }
  }

  #learn(model: PublishOutcome, real: PublishOutcome): void {
    if (!('id' in model && 'id' in real)) return;
    this.#ids.set(real.id, model.id);
    for (const [index, id] of (real.ids ?? []).entries()) {
      const modelId = model.ids?.[index];
      if (modelId !== undefined) this.#ids.set(id, modelId);
    }
  }

  #modelId(id: string): string {
    return this.#ids.get(id) ?? id;
  }

  #translate(outcome: PublishOutcome): PublishOutcome {
    if (!('id' in outcome)) return outcome;
    const { id, ids, evicted, ...rest } = outcome;
    return {
      ...rest,
      id: this.#modelId(id),
      ...(ids && { ids: ids.map((one) => this.#modelId(one)) }),
      ...(evicted && { evicted: evicted.map((one) => ({ ...one, id: this.#modelId(one.id) })) }),
    };
  }

  #inOneOrder(messages: readonly StoredMessage[]): object[] {
    const byId = messages.toSorted((a, b) => (this.#modelId(a.id) < this.#modelId(b.id) ? -1 : 1));
    return byId.map((message) => this.#visible(message));
  }

  /** Of those in groups nobody can say yet when they come up, so `browse` shows them anywhere. */
  #ungrouped(messages: readonly StoredMessage[]): string[] {
    return messages.filter(({ groupId }) => groupId === null).map(({ id }) => this.#modelId(id));
  }

  /** A message as both drivers must show it: ids translated, what they may choose left out. */
  #visible(message: StoredMessage): object {
    const { lease } = message;
    return {
      ...message,
      sequence: null,
      id: this.#modelId(message.id),
      publishId: this.#modelId(message.publishId),
      lease: lease && { consumerId: lease.consumerId, until: lease.until },
    };
  }
}
