import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { QueueInfo } from '../../src/index.ts';
import { parseLines, Program, PROGRAM, quoted, TestStore } from './harness.ts';

/** What a pipe holds, at most. */
const PIPE_BYTES = 65_536;
/** So long that a few hundred fill a pipe. */
const LONG = 'x'.repeat(300);
/** Of long ones, several times as many as pipes and buffers hold. */
const MANY = 1_500;

function lineOf(n: number, more = ''): string {
  return `${JSON.stringify(more === '' ? { n } : { n, more })}\n`;
}

async function storeWith(count: number, more = ''): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const input = Array.from({ length: count }, (_, n) => lineOf(n, more)).join('');
  if (count > 0) await store.ok(['publish', '--stdin', '--queue', 'orders'], { input });
  return store;
}

async function info(store: TestStore): Promise<QueueInfo> {
  return store.json<QueueInfo>(['queue', 'info', 'orders']);
}

test('the program runs through a shell pipe, from publish to consume', async () => {
  const store = await storeWith(0);
  const at = `--store ${quoted(store.path)}`;
  const shell = `seq 1 1000 | ${PROGRAM} publish --stdin --queue orders ${at} && ${PROGRAM} consume orders ${at} | tail -1`;
  const { code, stdout, stderr } = await new Program({ shell }).answer();
  assert.deepEqual([code, stdout], [0, '1000\n'], stderr);
  assert.equal((await info(store)).messageCount, 0);
});

test('when the reader of the pipe leaves, what was not handed over stays in the queue', async () => {
  const store = await storeWith(MANY, LONG);
  const shell = `${PROGRAM} consume orders --store ${quoted(store.path)} | head -1`;
  const { code, stdout, stderr } = await new Program({ shell }).answer();
  assert.deepEqual([code, stdout], [0, lineOf(0, LONG)], stderr);
  const { ready, leased, scheduled } = await info(store);
  assert.deepEqual([leased, scheduled], [0, 0]);
  // More than fits the pipe cannot have been taken from the queue.
  const inPipe = PIPE_BYTES / lineOf(0, LONG).length;
  assert.ok(MANY - ready <= 2 * inPipe, `${MANY - ready} acknowledged`);
  const rest = parseLines<{ n: number }>(await store.ok(['consume', 'orders']));
  assert.equal(rest.length, ready);
  assert.deepEqual(
    rest.map(({ n }) => n),
    Array.from({ length: ready }, (_, n) => n + MANY - ready),
  );
});

test('a second process on the store is told whose it is, and exits with 4', async () => {
  const store = await storeWith(1);
  const owner = store.start(['consume', 'orders', '--follow', '--exec', 'echo "got $(cat)"']);
  await owner.said('got {"n":0}');
  const answer = await store.call(['queue', 'list', '--json']);
  assert.equal(answer.code, 4);
  const { error } = JSON.parse(answer.stderr) as { error: { code: string; message: string } };
  assert.equal(error.code, 'STORAGE_IN_USE');
  assert.ok(error.message.includes(`process ${owner.child.pid}`), error.message);
  owner.child.kill('SIGINT');
  assert.equal((await owner.answer()).code, 130);
  assert.equal((await store.call(['queue', 'list'])).code, 0);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`consume ends in good order at ${signal}, the command under way included`, async () => {
    const store = await storeWith(3);
    const worker = store.start([
      'consume',
      'orders',
      '--follow',
      '--exec',
      'echo begun; sleep 0.3; echo done',
    ]);
    await worker.said('begun');
    worker.child.kill(signal);
    const { code, stdout } = await worker.answer();
    assert.equal(code, 130);
    assert.equal(stdout, 'begun\ndone\n');
    const { ready, leased } = await info(store);
    assert.deepEqual([ready, leased], [2, 0]);
  });
}

test('a second signal ends consume at once, its command too, and the message is not lost', async () => {
  const store = await storeWith(1);
  const worker = store.start(['consume', 'orders', '--exec', 'echo "pid $$"; exec sleep 60']);
  await worker.said('pid ');
  // Two different ones: two of a kind sent together may arrive as one.
  worker.child.kill('SIGINT');
  worker.child.kill('SIGTERM');
  const { code, stdout, stderr } = await worker.answer();
  assert.deepEqual([code, stderr], [130, '']);
  const pid = Number(/pid (\d+)/.exec(stdout)?.[1]);
  await waitUntil(() => Promise.resolve(!isAlive(pid)));
  // Not given back in good order: it comes again when its lease ends.
  assert.equal((await info(store)).leased, 1);
});

test('a reader that takes nothing holds the messages back, not the end', async () => {
  const store = await storeWith(MANY, LONG);
  const reader = store.start(['consume', 'orders']);
  await reader.said('{"n":0,');
  reader.child.stdout?.pause();
  reader.child.kill('SIGTERM');
  const ended = new Promise<number | null>((resolve) => reader.child.on('exit', resolve));
  assert.equal(await ended, 130);
  reader.child.stdout?.resume();
  const { stdout } = await reader.answer();
  const written = stdout.split('\n').length - 1;
  const { ready, leased } = await info(store);
  assert.equal(leased, 0);
  // Nothing lost: each message was written, or is still there, or (cut off in the pipe) both.
  assert.ok(written + ready >= MANY, `${written} written, ${ready} ready`);
});

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'waited too long');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
