import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runSoak } from './soak.ts';

test('a broker under mixed load and random faults loses nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-soak-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const report = await runSoak({
    folder,
    duration: 5_000,
    faultEvery: 800,
    leaseDuration: 1_500,
    random: Math.random,
  });
  const { confirmed, deliveries, faults, lost, violations, inDoubt } = report;
  t.diagnostic(
    `${confirmed} confirmed, ${deliveries} deliveries, ${inDoubt} acknowledged without an answer, ` +
      `${faults.kill} kills, ${faults.pause} pauses, ${faults.cut} cuts, lost ${lost.length}`,
  );
  assert.deepEqual(violations, []);
  assert.deepEqual(lost, []);
  // Less, and the run has shown nothing.
  assert.ok(confirmed > 500 && deliveries >= confirmed - inDoubt, `${confirmed}, ${deliveries}`);
});
