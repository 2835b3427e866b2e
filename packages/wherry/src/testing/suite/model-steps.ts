import type * as FastCheck from 'fast-check';
import { PICK_MAX } from './lease-pool.ts';
import { DELETABLE_QUEUES, QUEUE_COUNT, QUEUE_DEAD, QUEUE_DROPPING, type Twins } from './twins.ts';

type Act = (twins: Twins) => Promise<void> | void;

/** One thing done to both drivers, after which they must look the same. */
class Step implements FastCheck.AsyncCommand<object, Twins> {
  readonly #name: string;
  readonly #values: object;
  readonly #act: Act;

  constructor(name: string, values: object, act: Act) {
    this.#name = name;
    this.#values = values;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  async run(_model: object, twins: Twins): Promise<void> {
    await this.#act(twins);
    await twins.compare();
  }

  toString(): string {
    const text = JSON.stringify(this.#values, (_key, value: unknown) =>
      value === Infinity ? 'Infinity' : value,
    );
    return `${this.#name}(${text})`;
  }
}

type Steps = FastCheck.Arbitrary<Step>;
/** By the number that the twins give them. */
type Queues = FastCheck.Arbitrary<number>;

/** All that can be done, to queues of all kinds. */
export function stepsOf(fc: typeof FastCheck, gaps: ReadonlySet<string>): Steps[] {
  const queue = anyQueue(fc);
  const { settle, release, move, extend } = leaseSteps(fc, gaps, queue);
  const { purge, remake } = queueSteps(fc);
  return [
    ...many(4, publishStep(fc, gaps), takeStep(fc, queue, 5)),
    ...many(3, release),
    ...many(2, settle, move, sweepStep(fc), advanceStep(fc)),
    ...many(1, takeByIdsStep(fc, queue), extend, purge, remake, limitsStep(fc, queue)),
    ...restartSteps(fc, gaps),
  ];
}

/** What groups and limits in flight have to do with each other, close together in one queue. */
export function limitSteps(fc: typeof FastCheck, gaps: ReadonlySet<string>): Steps[] {
  const queue = fc.constant(0);
  const { settle, release } = leaseSteps(fc, gaps, queue);
  return [
    ...many(4, groupedStep(fc), takeStep(fc, queue, 2)),
    ...many(3, settle, limitsStep(fc, queue)),
    ...many(2, release, advanceStep(fc)),
    ...many(1, sweepStep(fc), takeByIdsStep(fc, queue)),
    ...restartSteps(fc, gaps),
  ];
}

function restartSteps(fc: typeof FastCheck, gaps: ReadonlySet<string>): Steps[] {
  const ways = (['reopen', 'crash'] as const).filter((how) => !gaps.has(how));
  return ways.map((how) => fc.constant(new Step(how, {}, (twins) => twins.restart(how))));
}

function sweepStep(fc: typeof FastCheck): Steps {
  return fc.constant(new Step('sweep', {}, (twins) => twins.sweep()));
}

function advanceStep(fc: typeof FastCheck): Steps {
  return fc
    .constantFrom(1, 50, 99, 100, 299, 300, 999, 1_000, 30_000)
    .map((ms) => new Step('advance', { ms }, (twins) => twins.advance(ms)));
}

/** How often a step is drawn is how often it is listed. */
function many(times: number, ...steps: Steps[]): Steps[] {
  return Array.from({ length: times }, () => steps).flat();
}

/** Mostly the queue without bounds, where more comes together. */
function anyQueue(fc: typeof FastCheck): Queues {
  return fc.oneof(fc.constant(0), fc.nat({ max: QUEUE_COUNT - 1 }));
}

function publishStep(fc: typeof FastCheck, gaps: ReadonlySet<string>): Steps {
  const queue = anyQueue(fc);
  const mostly = <T>(...values: [T, ...T[]]): FastCheck.Arbitrary<T> => mostlyFirst(fc, values);
  const content = {
    bytes: fc.integer({ min: 1, max: 20 }),
    priority: mostly(0, 1, 255),
    delay: mostly(0, 50, 300),
    ttl: mostly<number | null>(null, 100, 500),
    fence: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      fc.record({ key: fc.constant('k'), value: fc.nat({ max: 30 }) }),
    ),
  };
  const plain = fc.record({
    ...content,
    groupId: fc.constantFrom(null, null, 'g', 'g', 'h'),
    deduplicationId: mostly<string | null>(null, 'd', 'e'),
    deduplicationWindow: mostly<number | undefined>(undefined, 0, 50, 2_000),
  });
  const last = fc.record({
    ...content,
    deduplicationId: fc.constantFrom('d', 'd', 'e'),
    keepLast: fc.constant(true),
  });
  const message = fc.oneof({ weight: 3, arbitrary: plain }, last);
  const queues = fc.oneof(
    { weight: 4, arbitrary: queue.map((one) => [one]) },
    copiesTo(gaps, fc.uniqueArray(queue, { minLength: 2, maxLength: 3 })),
  );
  const items = fc.array(fc.record({ queues, message }), { minLength: 1, maxLength: 4 });
  const atomic = gaps.has('atomicBatch') ? fc.constant(false) : fc.boolean();
  return fc.record({ items, atomic }).map(({ items: all, atomic: wanted }) => {
    const drops = all.some((item) => item.queues.includes(QUEUE_DROPPING));
    const values = { items: all, atomic: wanted && !(drops && gaps.has('atomicDrops')) };
    return new Step('publish', values, (t) => t.publish(values.items, values.atomic));
  });
}

/**
 * Where a copy comes only when there is room for all, what is dropped for it has moved before: no copy
 * goes where that goes, for a group would have the two the other way round.
 */
function copiesTo(
  gaps: ReadonlySet<string>,
  queues: FastCheck.Arbitrary<number[]>,
): FastCheck.Arbitrary<number[]> {
  if (!gaps.has('atomicDrops')) return queues;
  return queues.map((some) =>
    some.includes(QUEUE_DROPPING) ? some.filter((one) => one !== QUEUE_DEAD) : some,
  );
}

function mostlyFirst<T>(
  fc: typeof FastCheck,
  [usual, ...others]: [T, ...T[]],
): FastCheck.Arbitrary<T> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, fc.constantFrom(...others));
}

function groupedStep(fc: typeof FastCheck): Steps {
  const message = fc.record({
    groupId: fc.constantFrom('g', 'g', 'h', null),
    priority: mostlyFirst(fc, [0, 1]),
    delay: mostlyFirst(fc, [0, 50, 300]),
    ttl: mostlyFirst<number | null>(fc, [null, 300]),
  });
  const item = fc.record({ queues: fc.constant([0]), message });
  return fc
    .array(item, { minLength: 1, maxLength: 4 })
    .map((items) => new Step('publish', { items }, (twins) => twins.publish(items, false)));
}

function takeStep(fc: typeof FastCheck, queue: Queues, max: number): Steps {
  return fc
    .record({
      queue,
      max: fc.integer({ min: 1, max }),
      leaseDuration: fc.constantFrom(100, 1_000),
      bound: fc.boolean(),
      perGroup: fc.integer({ min: 1, max: 3 }),
    })
    .map((values) => new Step('take', values, (twins) => twins.take(values)));
}

/** Limits change while messages wait, are held, and wait for a rate. */
function limitsStep(fc: typeof FastCheck, queue: Queues): Steps {
  const rate = fc.constantFrom(
    null,
    null,
    { max: 1, per: 100 },
    { max: 3, per: 1_000 },
    { max: 2, per: 301 },
  );
  const limits = fc.record({
    boundOn: fc.constantFrom('stored', 'waiting'),
    maxInFlight: fc.constantFrom(Infinity, Infinity, 1, 3),
    groupMaxInFlight: fc.integer({ min: 1, max: 3 }),
    rateLimit: rate,
    groupRateLimit: rate,
  });
  return fc
    .record({ queue, limits })
    .map((v) => new Step('limits', v, (twins) => twins.setLimits(v.queue, v.limits)));
}

function takeByIdsStep(fc: typeof FastCheck, queue: Queues): Steps {
  return fc
    .record({
      queue,
      picks: fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 3 }),
      bound: fc.boolean(),
    })
    .map(
      (values) =>
        new Step('take by ids', values, (twins) =>
          twins.takeByIds(values.queue, values.picks, values.bound),
        ),
    );
}

/** What is done with leases, among them some that have ended. */
function leaseSteps(
  fc: typeof FastCheck,
  gaps: ReadonlySet<string>,
  queue: Queues,
): Record<'settle' | 'release' | 'move' | 'extend', Steps> {
  const picks = fc.array(fc.nat({ max: PICK_MAX }), { minLength: 1, maxLength: 3 });
  const parked = { queue: 'queue 0', reason: 'max-retries' } as const;
  const release = fc.record({
    delay: fc.constantFrom(0, 0, 100, Infinity),
    as: fc.constantFrom('retry', 'requeue', 'unstarted'),
    suspect: fc.constantFrom(undefined, undefined, false, true),
    parked: fc.constantFrom(undefined, undefined, null, parked),
  });
  const route = { exchange: '', routingKeys: ['queue 0'], toExchange: 'dlx', toRoutingKeys: ['k'] };
  const death = fc.constantFrom(
    undefined,
    { queue: 'queue 0', reason: 'rejected', error: 'failed' } as const,
    { queue: 'queue 1', reason: 'expired' } as const,
    { queue: 'queue 0', reason: 'rejected', route } as const,
  );
  const queues = copiesTo(gaps, fc.uniqueArray(queue, { minLength: 0, maxLength: 2 }));
  const ms = fc.constantFrom(1, 200, 2_000);
  return {
    settle: fc.record({ picks }).map((v) => new Step('settle', v, (t) => t.settle(v.picks))),
    release: fc
      .record({ picks, item: release })
      .map((v) => new Step('release', v, (t) => t.release(v.picks, v.item))),
    move: fc
      .record({ picks, queues, death })
      .map((v) => new Step('move', v, (t) => t.move(v.picks, v.queues, v.death))),
    extend: fc
      .record({ picks, ms })
      .map((v) => new Step('extend', v, (t) => t.extend(v.picks, v.ms))),
  };
}

function queueSteps(fc: typeof FastCheck): Record<'purge' | 'remake', Steps> {
  const values = fc.record({
    queue: fc.nat({ max: DELETABLE_QUEUES - 1 }),
    onlyIfEmpty: fc.boolean(),
  });
  return {
    purge: anyQueue(fc).map((queue) => new Step('purge', { queue }, (t) => t.purge(queue))),
    remake: values.map(
      (v) => new Step('remake', v, (t) => t.deleteAndRemake(v.queue, v.onlyIfEmpty)),
    ),
  };
}
