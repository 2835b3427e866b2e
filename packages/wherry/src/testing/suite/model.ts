import type * as FastCheck from 'fast-check';
import type { AspectTests } from './aspect.ts';
import type { Fixture } from './fixture.ts';
import { PICK_MAX } from './lease-pool.ts';
import { DELETABLE_QUEUES, QUEUE_COUNT, Twins } from './twins.ts';

/** How far the random histories go. */
export interface ModelOptions {
  /** Histories; default 60. */
  readonly runs?: number;
  /** Most commands in one history; default 100. */
  readonly commandsMax?: number;
  /** Repeats a run that failed, together with `path`; left out: another one each time. */
  readonly seed?: number;
  readonly path?: string;
  /** Whether a failing history is made as short as it can be; default true. */
  readonly shrink?: boolean;
}

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

/**
 * Random histories, compared step by step with the memory driver.
 * @param gaps what the store cannot do stays out of the histories
 */
export function modelTests(options: ModelOptions, gaps: ReadonlySet<string>): AspectTests {
  return {
    'G1-G13 random histories look as in the memory driver': async (fixture) => {
      const fc = await importFastCheck();
      const { runs = 60, commandsMax = 100, seed, path, shrink = true } = options;
      const commands = fc.commands(stepsOf(fc, gaps), { maxCommands: commandsMax, size: 'max' });
      const property = fc.asyncProperty(commands, (steps) => runHistory(fc, fixture, steps));
      await fc.assert(property, {
        numRuns: runs,
        seed,
        path,
        endOnFailure: !shrink,
        includeErrorInReport: true,
      });
    },
  };
}

/** It is an optional peer dependency: those who only want the clock need not install it. */
async function importFastCheck(): Promise<typeof FastCheck> {
  try {
    return await import('fast-check');
  } catch (cause) {
    throw new Error('The conformance suite needs fast-check: npm install --save-dev fast-check', {
      cause,
    });
  }
}

async function runHistory(
  fc: typeof FastCheck,
  fixture: Fixture,
  steps: Iterable<FastCheck.AsyncCommand<object, Twins>>,
): Promise<void> {
  const another = await fixture.another();
  try {
    const twins = await Twins.create(another);
    await fc.asyncModelRun(() => ({ model: {}, real: twins }), steps);
    await another.checkCounts();
  } finally {
    await another.remove();
  }
}

type Steps = FastCheck.Arbitrary<Step>;

function stepsOf(fc: typeof FastCheck, gaps: ReadonlySet<string>): Steps[] {
  const restarts = (['reopen', 'crash'] as const).filter((how) => !gaps.has(how));
  const { settle, release, move, extend } = leaseSteps(fc);
  const { purge, remake } = queueSteps(fc);
  const sweep = fc.constant(new Step('sweep', {}, (twins) => twins.sweep()));
  const advance = fc
    .constantFrom(1, 50, 99, 100, 299, 300, 999, 1_000, 30_000)
    .map((ms) => new Step('advance', { ms }, (twins) => twins.advance(ms)));
  return [
    ...many(4, publishStep(fc, !gaps.has('atomicBatch'))),
    ...many(4, takeStep(fc)),
    ...many(3, release),
    ...many(2, settle, move, sweep, advance),
    ...many(1, takeByIdsStep(fc), extend, purge, remake),
    ...restarts.map((how) => fc.constant(new Step(how, {}, (twins) => twins.restart(how)))),
  ];
}

/** How often a step is drawn is how often it is listed. */
function many(times: number, ...steps: Steps[]): Steps[] {
  return Array.from({ length: times }, () => steps).flat();
}

/** Mostly the queue without bounds, where more comes together. */
function anyQueue(fc: typeof FastCheck): FastCheck.Arbitrary<number> {
  return fc.oneof(fc.constant(0), fc.nat({ max: QUEUE_COUNT - 1 }));
}

function publishStep(fc: typeof FastCheck, withAtomic: boolean): Steps {
  const queue = anyQueue(fc);
  const mostly = <T>(usual: T, ...others: T[]): FastCheck.Arbitrary<T> =>
    fc.oneof({ weight: 3, arbitrary: fc.constant(usual) }, fc.constantFrom(...others));
  const message = fc.record({
    bytes: fc.integer({ min: 1, max: 20 }),
    priority: mostly(0, 1, 255),
    delay: mostly(0, 50, 300),
    ttl: mostly<number | null>(null, 100, 500),
    groupId: fc.constantFrom(null, null, 'g', 'g', 'h'),
    deduplicationId: mostly<string | null>(null, 'd', 'e'),
  });
  const queues = fc.oneof(
    { weight: 4, arbitrary: queue.map((one) => [one]) },
    fc.uniqueArray(queue, { minLength: 2, maxLength: 3 }),
  );
  const items = fc.array(fc.record({ queues, message }), { minLength: 1, maxLength: 4 });
  const atomic = withAtomic ? fc.boolean() : fc.constant(false);
  return fc
    .record({ items, atomic })
    .map((values) => new Step('publish', values, (t) => t.publish(values.items, values.atomic)));
}

function takeStep(fc: typeof FastCheck): Steps {
  return fc
    .record({
      queue: anyQueue(fc),
      max: fc.integer({ min: 1, max: 5 }),
      leaseDuration: fc.constantFrom(100, 1_000),
      bound: fc.boolean(),
      perGroup: fc.integer({ min: 1, max: 3 }),
    })
    .map((values) => new Step('take', values, (twins) => twins.take(values)));
}

function takeByIdsStep(fc: typeof FastCheck): Steps {
  return fc
    .record({
      queue: anyQueue(fc),
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
function leaseSteps(fc: typeof FastCheck): Record<'settle' | 'release' | 'move' | 'extend', Steps> {
  const picks = fc.array(fc.nat({ max: PICK_MAX }), { minLength: 1, maxLength: 3 });
  const queue = anyQueue(fc);
  const parked = { queue: 'queue 0', reason: 'max-retries' } as const;
  const release = fc.record({
    delay: fc.constantFrom(0, 0, 100, Infinity),
    as: fc.constantFrom('retry', 'requeue', 'unstarted'),
    suspect: fc.constantFrom(undefined, undefined, false, true),
    parked: fc.constantFrom(undefined, undefined, null, parked),
  });
  const death = fc.constantFrom(
    undefined,
    { queue: 'queue 0', reason: 'rejected', error: 'failed' } as const,
    { queue: 'queue 1', reason: 'expired' } as const,
  );
  const queues = fc.uniqueArray(queue, { minLength: 0, maxLength: 2 });
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
