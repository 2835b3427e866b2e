/** The power fails under all the workload: each cut is a kill that also takes what was not synced. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LoopImage } from '../faults/loop-image.ts';
import { straceCommand } from '../faults/strace.ts';
import { describeViolations } from './checker/findings.ts';
import { onLoopImage, type RoundOptions, type RoundResult, runRound } from './round.ts';

const CUTS = Number(process.env['CRASH_CUTS'] ?? 3);
const SEED = Number(process.env['CRASH_SEED'] ?? 7);

async function cutPower(
  t: TestContext,
  image: LoopImage,
  more: Partial<RoundOptions> = {},
): Promise<RoundResult> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-power-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const options = { seed: SEED, kills: CUTS, eventsMax: 1_500, folder, ...onLoopImage(image) };
  return runRound({ ...options, ...more });
}

for (const fileSystem of ['ext4', 'xfs'] as const) {
  test(`${CUTS} power cuts on ${fileSystem} lose, double and reorder nothing`, async (t) => {
    const { violations, coverage } = await cutPower(t, LoopImage.create(t, fileSystem));
    const { kills, confirmedSends, deliveries } = coverage;
    t.diagnostic(`${kills} cuts, ${confirmedSends} confirmed sends, ${deliveries} deliveries`);
    assert.equal(violations.length, 0, describeViolations(violations));
    assert.ok(coverage.killsAtWork > 0 && confirmedSends > 50, JSON.stringify(coverage));
  });
}

test('a disk that only says that it syncs is found out', async (t) => {
  const wrapper = straceCommand('fdatasync:retval=0');
  const image = LoopImage.create(t, 'ext4');
  const broken = await cutPower(t, image, { worker: () => ({ wrapper }) }).then(
    ({ violations }) => violations.length,
    // What is left of the store cannot be opened.
    () => Infinity,
  );
  assert.ok(broken > 0, 'These cuts would show nothing: nothing was lost that was not synced.');
});
