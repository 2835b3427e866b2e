import type * as FastCheck from 'fast-check';
import type { AspectTests } from './aspect.ts';
import type { Fixture } from './fixture.ts';
import { limitSteps, stepsOf } from './model-steps.ts';
import { Twins } from './twins.ts';

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

/**
 * Random histories, compared step by step with the memory driver.
 * @param gaps what the store cannot do stays out of the histories
 */
export function modelTests(options: ModelOptions, gaps: ReadonlySet<string>): AspectTests {
  return {
    'G1-G13 random histories look as in the memory driver': (fixture) =>
      checkHistories(fixture, options, (fc) => stepsOf(fc, gaps)),
    'G11 random histories of groups whose limits change look as in the memory driver': (fixture) =>
      checkHistories(fixture, options, (fc) => limitSteps(fc, gaps)),
  };
}

async function checkHistories(
  fixture: Fixture,
  options: ModelOptions,
  steps: (fc: typeof FastCheck) => ReturnType<typeof stepsOf>,
): Promise<void> {
  const fc = await importFastCheck();
  const { runs = 60, commandsMax = 100, seed, path, shrink = true } = options;
  const commands = fc.commands(steps(fc), { maxCommands: commandsMax, size: 'max' });
  const property = fc.asyncProperty(commands, (history) => runHistory(fc, fixture, history));
  await fc.assert(property, {
    numRuns: runs,
    seed,
    path,
    endOnFailure: !shrink,
    includeErrorInReport: true,
  });
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
