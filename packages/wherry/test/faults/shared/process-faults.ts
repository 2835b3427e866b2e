import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, RunningSystem } from './fault-run.ts';

/** Longer than any lease of the workload. */
const PAUSE_MS = 1_600;

async function pause({ workers }: RunningSystem, indexes: readonly number[]): Promise<void> {
  for (const index of indexes) workers[index]!.signal('SIGSTOP');
  await sleep(PAUSE_MS);
  for (const index of indexes) workers[index]!.signal('SIGCONT');
}

/** What can happen to the processes that have the store open. */
export const PROCESS_FAULTS: readonly Fault[] = [
  { name: 'a process held up past its leases', strike: (system) => pause(system, [0]) },
  { name: 'all processes held up past their leases', strike: (system) => pause(system, [0, 1]) },
  { name: 'a process killed', strike: (system) => system.replace(0) },
  {
    name: 'all processes killed',
    strike: async (system) => {
      await Promise.all([system.replace(0), system.replace(1)]);
    },
  },
];
