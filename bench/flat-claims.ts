/**
 * Whether a claim costs the same whatever else a queue holds: five million waiting, a hundred
 * thousand scheduled, a hundred thousand locked groups, each against a queue of ten thousand.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Contest, RunContext } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';
import { addressOf, type ServerKind, startServer } from './harness/server.ts';
import { type Crowd, fillCrowdedQueue } from './workloads/crowded-queue.ts';
import { type DeepQueue, measureDeepQueue } from './workloads/deep-queue.ts';

const SHALLOW = 10_000;
const QUICK = 1_000;

interface Shape extends Crowd {
  readonly waiting: number;
}

function shapesOf({ isQuick, settings }: RunContext): Record<string, Shape> {
  const shallow = isQuick ? QUICK : SHALLOW;
  const none = { waiting: shallow, scheduled: 0, lockedGroups: 0 };
  const size = (name: string): number => (isQuick ? QUICK : settings[name]!);
  return {
    shallow: none,
    waiting: { ...none, waiting: shallow + size('waiting') },
    scheduled: { ...none, scheduled: size('scheduled') },
    groups: { ...none, lockedGroups: size('groups') },
  };
}

/** Each in a part of the server of its own. */
function queueOf(kind: ServerKind, shape: string, { shared }: RunContext): DeepQueue {
  const url = new URL(addressOf(shared).url);
  url.searchParams.set(kind === 'redis' ? 'prefix' : 'wherry_schema', `bench_${shape}`);
  const folder = join(shared, shape);
  mkdirSync(folder, { recursive: true });
  return { storage: url.href, folder };
}

function flatClaims(kind: ServerKind): Contest {
  const shapes = ['shallow', 'waiting', 'scheduled', 'groups'];
  return {
    name: kind,
    async prepare(context) {
      const stop = await startServer(kind)(context);
      for (const [name, { waiting, ...crowd }] of Object.entries(shapesOf(context))) {
        const log = (line: string): void => console.error(`${kind}, ${name}: ${line}`);
        await fillCrowdedQueue(queueOf(kind, name, context), waiting, crowd, log);
      }
      return stop;
    },
    runners: Object.fromEntries(
      shapes.map((shape) => [
        shape,
        (context) => measureDeepQueue(queueOf(kind, shape, context), context),
      ]),
    ),
    metrics: shapes
      .filter((shape) => shape !== 'shallow')
      .map((shape) => ({
        name: `${kind}-consume-${shape}`,
        unit: '/s',
        ours: [shape, 'consume'],
        peer: ['shallow', 'consume'],
        target: { atLeast: 0.9 },
      })),
  };
}

await runBenchmark({
  name: 'flat-claims',
  contests: [flatClaims('postgres'), flatClaims('redis')],
  settings: { waiting: 5_000_000, scheduled: 100_000, groups: 100_000 },
});
