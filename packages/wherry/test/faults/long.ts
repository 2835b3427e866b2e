/**
 * `npm run test:faults [-- --minutes N --only WORD]`: the faults of Redis and PostgreSQL again and
 * again, each time with other seeds, until the time is up (default 30 minutes). Exit code 1 when
 * a rule was broken or somebody did not come back.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    only: { type: 'string', default: '' },
  },
});
const deadline = performance.now() + Number(values.minutes) * 60_000;
const here = fileURLToPath(new URL('.', import.meta.url));
const files = ['redis', 'postgres']
  .flatMap((store) => readdirSync(join(here, store)).map((name) => join(here, store, name)))
  .filter((file) => file.endsWith('.test.ts') && file.includes(values.only));

let runs = 0;
let failed = 0;
while (performance.now() < deadline && files.length > 0) {
  for (const file of files) {
    runs += 1;
    const args = ['--import', 'tsx', '--test', '--test-reporter=spec', file];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (status !== 0) failed += 1;
    if (performance.now() >= deadline) break;
  }
}
console.log(`${runs} runs, ${failed} failed`);
process.exitCode = failed > 0 || runs === 0 ? 1 : 0;
