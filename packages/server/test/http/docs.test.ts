import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startBroker } from '../broker.ts';

const run = promisify(execFile);
const page = new URL('../../../../docs/http-api.md', import.meta.url);
/** Where the page says that the broker is. */
const ADDRESS = 'http://127.0.0.1:7470';

/** What differs from run to run. */
function masked(text: string): string {
  return text
    .replaceAll(/"[0-9a-f]{32}"/g, '"ID"')
    .replaceAll(/"receipt":"[\w-]+"/g, '"receipt":"RECEIPT"')
    .replaceAll(/"[0-9a-f]{8}-[0-9a-f-]{27}"/g, '"REQUEST"')
    .replaceAll(/\b\d{13}\b/g, 'TIME')
    .trim();
}

test('the commands of http-api.md run, and answer what it says', async (t) => {
  await using broker = await startBroker();
  const folder = await mkdtemp(join(tmpdir(), 'wherry-docs-'));
  t.after(() => rm(folder, { recursive: true }));
  const text = await readFile(page, 'utf8');
  const blocks = [...text.matchAll(/```sh\n([^]*?)```\n(?:\n```json\n([^]*?)```\n)?/g)];
  assert.ok(blocks.length > 10);
  for (const [, commands, answer] of blocks) {
    const script = commands!.replaceAll(ADDRESS, broker.url).replaceAll('curl ', 'curl -sS ');
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder });
    if (answer === undefined) assert.doesNotMatch(stdout, /urn:wherry:error/, commands);
    else assert.equal(masked(stdout), masked(answer), commands);
  }
});
