/** docs/amqp.md: its programs run, in every language, and its tables are whole. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../../../../scripts/find-files.ts';
import { readPage, tableRowsOf } from '../../../wherry/test/docs/markdown.ts';
import { plainTable } from '../../src/protocols/amqp/table.ts';
import { QUEUE_ARGUMENTS } from '../../src/servers/amqp/definitions/queue-arguments.ts';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { RawClient } from './connection/raw-client.ts';

const run = promisify(execFile);
const page = readPage('docs/amqp.md');
/** Debian's own: modules from its packages are for it alone. */
const PYTHON = '/usr/bin/python3';

/** How a program of a language is run, and what its file is called. */
const LANGUAGES: Readonly<Record<string, readonly [command: string, file: string]>> = {
  javascript: [process.execPath, 'program.mjs'],
  python: [PYTHON, 'program.py'],
  php: ['php', 'program.php'],
  ruby: ['ruby', 'program.rb'],
  sh: ['sh', 'program.sh'],
};

let broker: Broker;
before(async () => {
  broker = await startBroker({ amqp: { port: 0 } });
});
after(() => broker.close());

/** Each program that connects, as it stands in the page but for the port. */
const [, connecting = ''] = /^## Connect$(.*?)^## /ms.exec(page.text) ?? [];
const programs = Array.from(
  connecting.matchAll(/^```(\w+)\n(.*?)^```$/gms),
  ([, language, code]) => ({ language: language!, code: code! }),
);

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-amqp-docs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** The program with the port where the broker is. */
function ported(code: string): string {
  assert.match(code, /\b5672\b/);
  return code.replaceAll(/\b5672\b/g, String(broker.amqpPort));
}

/** When what was acknowledged last is gone: nobody waits for that. */
async function empty(queue: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    const info = await fetch(`${broker.url}/api/v1/queues/${queue}`);
    const { messageCount } = (await info.json()) as { messageCount: number };
    if (messageCount === 0) return;
    assert.ok(Date.now() < deadline, `${messageCount} in ${queue}`);
  }
}

describe('programs of docs/amqp.md', { concurrency: 2 }, () => {
  for (const [i, { language, code }] of programs.entries()) {
    if (code.includes('celery')) continue;
    test(`${language}, program ${i + 1}`, async (t) => {
      const [command, file] = LANGUAGES[language]!;
      const folder = folderFor(t);
      // One queue for each, since they run at the same time.
      const queue = `orders-${i}`;
      const program = ported(code).replaceAll(/\borders\b/g, queue);
      writeFileSync(join(folder, file), program);
      const { stdout } = await run(command, [file], { cwd: folder });
      assert.equal(stdout.trim(), 'hello');
      await empty(queue);
    });
  }

  test('python, the worker of Celery answers', async (t) => {
    const folder = folderFor(t);
    writeFileSync(
      join(folder, 'tasks.py'),
      ported(programs.find(({ code }) => code.includes('celery'))!.code),
    );
    const words = ['-m', 'celery', '-A', 'tasks', 'worker', '--pool', 'solo'];
    const worker = spawn(PYTHON, words, { cwd: folder, stdio: 'ignore' });
    t.after(() => worker.kill('SIGKILL'));
    const ask = 'from tasks import add; print(add.delay(2, 3).get(timeout=20))';
    const { stdout } = await run(PYTHON, ['-c', ask], { cwd: folder });
    assert.equal(stdout, '5\n');
  });
});

test('docs/amqp.md has every argument of queues', () => {
  const rows = tableRowsOf(page).map(([name]) => name!.replaceAll('`', ''));
  const listed = rows.slice(rows.indexOf('x-queue-type'));
  const end = listed.findIndex((name) => !name.startsWith('x-'));
  assert.deepEqual(listed.slice(0, end).toSorted(), [...QUEUE_ARGUMENTS].toSorted());
});

test('docs/amqp.md has every capability that the broker tells', async (t) => {
  const client = await RawClient.connect(t, broker.amqpPort!);
  client.greet();
  const { serverProperties } = await client.expect(0, 'connection.start');
  const { capabilities } = plainTable(serverProperties);
  const [, listed = ''] = /tells its clients these capabilities: (.*?)\.\n/s.exec(page.text) ?? [];
  const names = Array.from(listed.matchAll(/`([\w.]+)`/g), ([, name]) => name);
  assert.deepEqual(names, Object.keys(capabilities as object));
});
