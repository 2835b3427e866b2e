/**
 * `npm run test:histories [-- --runs N --only WORD]`: so many random histories (default 200) of each
 * kind on every store whose file's path contains WORD, compared with the memory driver. Exit code 1
 * when a store looked otherwise.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const STORES = [
  'lmdb.test.ts',
  'redis.test.ts',
  'redis-cluster.test.ts',
  'redis-partitions.test.ts',
  'postgres.test.ts',
  'remote/conformance-socket.test.ts',
  'remote/conformance-websocket.test.ts',
  'remote/conformance-cuts.test.ts',
];

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
  },
});
const files = STORES.filter((file) => file.includes(values.only));
const env = { ...process.env, WHERRY_TEST_HISTORIES: values.runs };
const options = ['--import', 'tsx', '--test-reporter=spec', '--test-name-pattern=random histories'];

let failed = 0;
for (const file of files) {
  const args = [...options, join(import.meta.dirname, file)];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env });
  if (status !== 0) failed += 1;
}
console.log(`${files.length} stores, ${failed} failed`);
process.exitCode = failed > 0 || files.length === 0 ? 1 : 0;
