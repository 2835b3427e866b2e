/** Kills in the middle of commits, under all the workload: a random moment seldom meets one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ONE_SYNCING_THREAD, straceCommand } from '../faults/strace.ts';
import { describeViolations } from './checker/findings.ts';
import { runRound } from './round.ts';

/** The first syncs of a process are those with which it opens the store. */
const MOMENTS = [
  'fdatasync:signal=SIGKILL:when=60',
  'fdatasync:signal=SIGKILL:when=1',
  'fdatasync:signal=SIGKILL:when=2',
  'fdatasync:signal=SIGKILL:when=25',
  'pwrite64:signal=SIGKILL:when=90',
  'pwrite64:signal=SIGKILL:when=91',
];
const SEED = 11;

test('kills at syncs and writes of a commit lose, double and reorder nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-sync-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { violations, coverage } = await runRound({
    seed: SEED,
    kills: MOMENTS.length,
    killsItself: true,
    folder,
    worker: (process) => {
      const moment = MOMENTS[process];
      if (moment === undefined) return {};
      return { wrapper: straceCommand(moment), env: ONE_SYNCING_THREAD };
    },
  });
  const { kills, killsAtWork, confirmedSends, deliveries } = coverage;
  t.diagnostic(`${kills} kills, ${confirmedSends} confirmed sends, ${deliveries} deliveries`);
  assert.equal(violations.length, 0, describeViolations(violations));
  assert.ok(kills === MOMENTS.length && killsAtWork >= 3, JSON.stringify(coverage));
});
