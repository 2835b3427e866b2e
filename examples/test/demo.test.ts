import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const repository = join(import.meta.dirname, '../..');

test('npm start -- --demo shows traffic, and ends with its broker at one signal', async (t) => {
  const script = join(repository, 'scripts/start.ts');
  const options = ['--demo', '--port', '0', '--store', 'memory:'];
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...options], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGTERM'));
  const exit = once(child, 'exit');
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  let api: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    api ??= /^HTTP API +(\S+)$/.exec(line)?.[1];
    if (line.startsWith('Webhooks come in waves')) break;
  }
  assert.ok(api !== undefined, log);

  const get = async (path: string): Promise<unknown> => (await fetch(`${api}${path}`)).json();
  const deadline = Date.now() + 20_000;
  for (;;) {
    const { arrived, ready } = (await get('/queues/audit-log')) as Record<string, number>;
    // Some have come, and some of them have been handled.
    if (arrived! > 5 && ready! < arrived!) break;
    assert.ok(Date.now() < deadline, `only ${arrived} webhooks have come: ${log}`);
    await sleep(50);
  }
  const { schedules } = (await get('/schedules')) as { schedules: { name: string }[] };
  assert.deepEqual(schedules.map(({ name }) => name).toSorted(), ['open-issues', 'weekly-report']);

  child.kill('SIGTERM');
  const [code] = await exit;
  assert.equal(code, 0, log);
  assert.match(log, /"msg":"Closed"/);
});
