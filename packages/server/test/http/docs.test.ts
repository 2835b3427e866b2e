import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startBroker } from '../broker.ts';

const run = promisify(execFile);
const DOCS = new URL('../../../../docs/', import.meta.url);
/** Pages whose commands are run, and how many there are at least. */
const PAGES = { 'http-api.md': 10, 'management-api.md': 4 };
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

for (const [page, blocksMin] of Object.entries(PAGES)) {
  test(`the commands of ${page} run, and answer what it says`, async (t) => {
    await using broker = await startBroker({ amqp: { enabled: true, port: 0 } });
    const folder = await mkdtemp(join(tmpdir(), 'wherry-docs-'));
    t.after(() => rm(folder, { recursive: true }));
    const text = await readFile(new URL(page, DOCS), 'utf8');
    const blocks = [...text.matchAll(/```sh\n([^]*?)```\n(?:\n```json\n([^]*?)```\n)?/g)];
    assert.ok(blocks.length >= blocksMin);
    for (const [, commands, answer] of blocks) {
      const script = commands!.replaceAll(ADDRESS, broker.url).replaceAll('curl ', 'curl -sS ');
      const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder });
      if (answer === undefined) assert.doesNotMatch(stdout, /urn:wherry:error/, commands);
      else assert.equal(masked(stdout), masked(answer), commands);
    }
  });
}
