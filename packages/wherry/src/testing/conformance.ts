import type { AspectTests, TestBody } from './suite/aspect.ts';
import { boundTests } from './suite/bounds.ts';
import { browseTests } from './suite/browse.ts';
import { clockTests } from './suite/clock.ts';
import { concurrencyTests } from './suite/concurrency.ts';
import { deduplicationTests } from './suite/dedup.ts';
import { fenceTests } from './suite/fence.ts';
import { Fixture } from './suite/fixture.ts';
import { groupTests } from './suite/groups.ts';
import { inFlightTests } from './suite/in-flight.ts';
import { keepLastTests } from './suite/keep-last.ts';
import { lifecycleTests } from './suite/lifecycle.ts';
import { type ModelOptions, modelTests } from './suite/model.ts';
import { moveTests } from './suite/move.ts';
import { notifierTests } from './suite/notifier.ts';
import { persistenceTests } from './suite/persistence.ts';
import { priorityTests } from './suite/priorities.ts';
import { publishTests } from './suite/publish.ts';
import { rateLimitTests } from './suite/rate-limit.ts';
import { releaseTests } from './suite/release.ts';
import { settleTests } from './suite/settle.ts';
import type { CreateStore } from './suite/store.ts';
import { suspectTests } from './suite/suspects.ts';
import { sweepTests } from './suite/sweep.ts';
import { takeTests } from './suite/take.ts';
import { topologyTests } from './suite/topology.ts';

export interface ConformanceOptions {
  /** Put before each title. */
  readonly name: string;
  /** The runner's: `test` of node:test, vitest, jest, mocha's `it` … */
  readonly test: (title: string, body: () => Promise<void>) => unknown;
  /** The runner's way to show a skipped test; needed when there are gaps. */
  readonly skip?: (title: string, reason: string) => unknown;
  readonly createStore: CreateStore;
  /** What the store does not hold: a need or a test's exact title, and the reason. */
  readonly gaps?: Readonly<Record<string, string>>;
  readonly model?: ModelOptions;
}

const ASPECTS: readonly AspectTests[] = [
  lifecycleTests,
  publishTests,
  priorityTests,
  takeTests,
  settleTests,
  releaseTests,
  suspectTests,
  moveTests,
  sweepTests,
  groupTests,
  inFlightTests,
  rateLimitTests,
  deduplicationTests,
  keepLastTests,
  fenceTests,
  boundTests,
  topologyTests,
  notifierTests,
  browseTests,
  clockTests,
  concurrencyTests,
  persistenceTests,
];

/**
 * Registers one test per guarantee and edge case with the runner. Time is a manual clock's: nothing
 * sleeps.
 * @throws RangeError when `gaps` names what is no need and no test
 */
export function conformanceSuite(options: ConformanceOptions): void {
  const gaps = new Map(Object.entries(options.gaps ?? {}));
  const unused = new Set(gaps.keys());
  const model: AspectTests = modelTests(options.model ?? {}, new Set(gaps.keys()));
  for (const tests of [...ASPECTS, model]) {
    for (const [title, test] of Object.entries(tests)) {
      const { needs, body } = typeof test === 'function' ? { needs: null, body: test } : test;
      const gap = [title, needs].find((key) => key !== null && gaps.has(key)) ?? null;
      if (needs !== null) unused.delete(needs);
      unused.delete(title);
      register(options, `${options.name}: ${title}`, gap === null ? null : gaps.get(gap)!, body);
    }
  }
  if (unused.size > 0) {
    throw new RangeError(`No test needs or is called ${[...unused].join(', ')}: remove the gap.`);
  }
}

function register(
  options: ConformanceOptions,
  title: string,
  gap: string | null,
  body: TestBody,
): void {
  if (gap === null) {
    options.test(title, () => runOnce(options.createStore, body));
    return;
  }
  if (options.skip === undefined) {
    throw new RangeError(`'${title}' is a gap (${gap}): give 'skip', so that it is not silent.`);
  }
  options.skip(title, gap);
}

/** One test on a store of its own; what it left must be consistent. */
async function runOnce(createStore: CreateStore, body: TestBody): Promise<void> {
  const fixture = await Fixture.create(createStore);
  try {
    await body(fixture);
    await fixture.checkCounts();
  } finally {
    await fixture.remove();
  }
}
