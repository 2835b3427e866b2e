/** `wherry serve` as it is installed: the real program, in a process of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sendHalf } from '../half-request.ts';
import { type Program, TestStore, temporaryFolder } from '../../../wherry/test/cli/harness.ts';

const run = promisify(execFile);
const repository = fileURLToPath(new URL('../../../../', import.meta.url));

/** As the API makes them. */
const TOKEN = `wht_${'x'.repeat(43)}`;

interface Served {
  readonly program: Program;
  readonly url: string;
  readonly amqp: string | null;
}

async function serve(t: TestContext, store: TestStore, ...args: string[]): Promise<Served> {
  const program = store.start(['serve', '--port', '0', '--amqp-port', '0', '--json', ...args]);
  t.after(() => program.child.kill('SIGKILL'));
  await program.said('"api":');
  const line = program.output.split('\n').find((one) => one.includes('"api":'));
  const { url, amqp } = JSON.parse(line!) as { url: string; amqp: string | null };
  return { program, url, amqp };
}

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

test('a broker on a folder serves it, and lets go of it at SIGTERM', async (t) => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const { program, url, amqp } = await serve(t, store);
  assert.match(amqp!, /^amqp:\/\/127\.0\.0\.1:\d+$/);
  assert.ok(await greetsAt(amqp!), 'AMQP is served');
  await post(`${url}/api/v1/queues/orders/messages`, { payload: { order: 1 } });
  // The folder has one owner: whoever wants to see it asks the broker.
  const beside = await store.call(['queue', 'list']);
  assert.equal(beside.code, 4, beside.stderr);

  const received = await post(`${url}/api/v1/queues/orders/receive`, {});
  const [{ receipt }] = (received as { messages: [{ receipt: string }] }).messages;

  const waiting = post(`${url}/api/v1/queues/dead-letter/receive`, { wait: '50s' });
  await untilMetric(url, 'wherry_http_long_polls 1');
  program.child.kill('SIGTERM');
  assert.deepEqual(await waiting, { messages: [] });
  assert.equal((await program.answer()).code, 0);
  const info = await store.json(['queue', 'info', 'orders']);
  assert.equal(info['leased'], 1, 'what a client has stays its own');

  const again = await serve(t, store);
  const acknowledge = `${again.url}/api/v1/queues/orders/acknowledge`;
  assert.deepEqual(await post(acknowledge, { receipts: [receipt] }), { results: [{ ok: true }] });
  again.program.child.kill('SIGTERM');
  assert.equal((await again.program.answer()).code, 0);
});

/** Whether an AMQP broker answers a client's first bytes with connection.start. */
async function greetsAt(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    socket.write('AMQP\0\0\x09\x01', 'latin1');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.readUInt32BE(7) === 0x000a000a;
  } finally {
    socket.destroy();
  }
}

async function untilMetric(url: string, line: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await (await fetch(`${url}/metrics`)).text()).includes(`\n${line}\n`)) {
    assert.ok(Date.now() < deadline, line);
  }
}

test('the second signal ends a broker that still waits for a client', async (t) => {
  const store = new TestStore('memory:');
  const { program, url } = await serve(t, store, '--set', 'queues=[{"name":"orders"}]');
  const socket = await sendHalf(`${url}/api/v1/queues/orders/messages`);
  t.after(() => socket.destroy());
  await untilMetric(url, 'wherry_http_bytes_in_flight 100');
  program.child.kill('SIGINT');
  await program.said('Closing');
  program.child.kill('SIGINT');
  assert.equal((await program.answer()).code, 130);
});

test('SIGHUP takes the accounts of the changed file, and tells what is wrong with it', async (t) => {
  const folder = temporaryFolder();
  const file = join(folder, 'wherry.yaml');
  const digest = 'ab'.repeat(32);
  writeFileSync(file, `tokens: [{ name: first, digest: ${digest} }]\n`);
  const store = new TestStore('memory:');
  const { program, url } = await serve(t, store, '--config', file);
  const status = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await fetch(`${url}/api/v1/whoami`, { headers });
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status(), 401);
  const token = await sha256(TOKEN);
  writeFileSync(file, `tokens: [{ name: first, digest: ${token}, admin: true }]\n`);
  program.child.kill('SIGHUP');
  const deadline = Date.now() + 10_000;
  while ((await status()) !== 200) assert.ok(Date.now() < deadline, program.output);

  writeFileSync(file, 'tokn: []\n');
  program.child.kill('SIGHUP');
  await program.said('Did you mean tokens?');
  assert.equal(await status(), 200, 'the accounts stay as they were');
});

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}

test('a configuration with mistakes starts nothing', async () => {
  const store = new TestStore('memory:');
  const { code, stderr } = await store.call([
    'serve',
    '--set',
    'limits.batch=0',
    '--set',
    'prot=1',
  ]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: 2 mistakes:\n {2}- .*\n {2}- .*\n$/);
  assert.match(stderr, /limits\.batch is 0/);
  assert.match(stderr, /Did you mean port\?/);
});

test('wherry config tells mistakes, values with their sources, and the schema', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'wherry.yaml');
  writeFileSync(file, 'port: 8080\nqueues: [{ name: orders, maxSize: -1 }]\n');
  const store = new TestStore('memory:');
  const wrong = await store.call(['config', 'check', file, '--json']);
  assert.equal(wrong.code, 2);
  assert.match(JSON.parse(wrong.stderr).error.message, /queues\[0\]: .*maxSize is -1/);

  writeFileSync(file, 'port: 8080\n');
  assert.match(await store.ok(['config', 'check', file]), /wherry\.yaml is right\.\n$/);
  const values = await store.json<{ key: string; value: unknown; source: string }[]>(
    ['config', 'print', '--config', file, '--host', '::1'],
    { env: { WHERRY_LIMITS_BATCH: '5' } },
  );
  const rows = values.filter(({ source }) => source !== 'default');
  assert.deepEqual(
    rows.map(({ key, value, source }) => [key, value, source]),
    [
      ['store', 'memory:', 'flag store'],
      ['host', '::1', 'flag host'],
      ['port', 8080, `file ${file}`],
      ['limits.batch', 5, 'environment WHERRY_LIMITS_BATCH'],
    ],
  );
  const schema = JSON.parse(await store.ok(['config', 'schema'])) as { properties: object };
  assert.ok('limits' in schema.properties);
});

test('without wherry-server the command says how to get it', async () => {
  const modules = join(temporaryFolder(), 'node_modules');
  mkdirSync(join(modules, 'wherry'), { recursive: true });
  for (const part of ['bin', 'dist', 'package.json']) {
    const from = join(repository, 'packages/wherry', part);
    cpSync(from, join(modules, 'wherry', part), { recursive: true });
  }
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    if (/^(\.|wherry)/.test(name)) continue;
    symlinkSync(join(repository, 'node_modules', name), join(modules, name));
  }
  const program = join(modules, 'wherry/bin/wherry.js');
  await assert.rejects(run(process.execPath, [program, 'serve']), ({ stderr, code }) => {
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*npm install wherry-server\n$/);
    return true;
  });
});
