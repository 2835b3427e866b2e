/**
 * `npm run test:soak [-- --minutes N]`: a broker under mixed load with random faults (default 30
 * minutes). Exit code 1 when something was lost or came again, or its memory grew.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runSoak } from './soak.ts';

/** Of what it was, in the middle, in the second third of the longest-lived process's life. */
const GROWTH_MAX = 1.3;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error(`'${values.minutes}' is no number of minutes above 0.`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'wherry-soak-'));
const started = performance.now();
const report = await runSoak({
  folder,
  duration: minutes * 60_000,
  faultEvery: 5_000,
  leaseDuration: 5_000,
  random: Math.random,
  onProgress: (line) => {
    if (!process.stderr.isTTY) return;
    const seconds = Math.round((performance.now() - started) / 1_000);
    process.stderr.write(`\r\u001B[K${seconds} s of ${minutes * 60}: ${line}`);
  },
});
if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
rmSync(folder, { recursive: true, force: true });

const { memory, faults, lost, violations } = report;
const third = Math.floor(memory.length / 3);
// A single sample says more about when memory was collected last than about what is kept.
const median = (samples: readonly number[]): number =>
  samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)]!;
const [early, late] = [median(memory.slice(third, 2 * third)), median(memory.slice(2 * third))];
for (const violation of violations.slice(0, 20)) console.log(violation);
console.log(
  `${report.confirmed} confirmed, ${report.deliveries} deliveries, ${report.acknowledged} acknowledged, ` +
    `${report.inDoubt} acknowledged without an answer, ${faults.kill} kills, ${faults.pause} pauses, ` +
    `${faults.cut} cuts, lost ${lost.length}, violations ${violations.length}; ` +
    `memory ${early} MB in the second third of ${memory.length} s, ${late} MB in the last`,
);
const isGrowing = late > early * GROWTH_MAX;
process.exitCode = lost.length > 0 || violations.length > 0 || isGrowing ? 1 : 0;
