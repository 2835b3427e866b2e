import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Contest, Figures, RunContext, Settings } from './benchmark.ts';
import { runInChild } from './child-run.ts';
import type { Rounds } from './judge.ts';

export interface HoldOptions {
  /** Where this benchmark keeps its temporary folders. */
  readonly folder: string;
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly settings: Settings;
  /** Called before each run. */
  readonly beforeRun: () => void;
  readonly log: (line: string) => void;
}

/**
 * Runs the runners that the contest's metrics need, one after the other, round after round.
 * @returns the figures of all rounds
 */
export async function holdContest(contest: Contest, options: HoldOptions): Promise<Rounds> {
  const { isQuick, settings, rounds, log } = options;
  const shared = mkdtempSync(join(options.folder, 'contest-'));
  const beside = [...new Set(contest.metrics.flatMap((metric) => metric.beside ?? []))];
  const inOwnFolder = async <T>(work: (context: RunContext) => Promise<T>): Promise<T> => {
    const folder = join(shared, 'run');
    mkdirSync(folder);
    try {
      return await work({ folder, shared, isQuick, settings, beside });
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  const runners = neededRunners(contest);
  const figures = new Map<string, Figures[]>(runners.map((runner) => [runner, []]));
  let takeDown: (() => Promise<void>) | void = undefined;
  if (contest.prepare !== undefined) {
    log(`${contest.name}: preparing`);
    takeDown = await inOwnFolder(contest.prepare);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const runner of runners) {
      log(`${contest.name}: round ${round} of ${rounds}, ${runner}`);
      options.beforeRun();
      const { [runner]: found } = contest.runners;
      const needs = typeof found === 'object' ? found.needs : undefined;
      const run = (context: RunContext) =>
        runInChild({ contest: contest.name, runner, needs, context });
      figures.get(runner)?.push(await inOwnFolder(run));
    }
  }
  await takeDown?.();
  rmSync(shared, { recursive: true });
  return figures;
}

/** In the order in which the contest names them. */
function neededRunners({ runners, metrics }: Contest): string[] {
  const needed = new Set(metrics.flatMap(({ ours, peer }) => [ours[0], peer?.[0]]));
  return Object.keys(runners).filter((name) => needed.has(name));
}
