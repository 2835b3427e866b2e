import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { QueueInfo } from '../../src/index.ts';
import { parseLines, TestStore } from './harness.ts';

async function storeWith(count: number): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const input = Array.from({ length: count }, (_, n) => `{"n":${n}}\n`).join('');
  if (count > 0) await store.ok(['publish', '--stdin', '--queue', 'orders'], { input });
  return store;
}

async function remaining(store: TestStore): Promise<QueueInfo> {
  return store.json<QueueInfo>(['queue', 'info', 'orders']);
}

test('consume writes what is there as lines and leaves an empty queue', async () => {
  const store = await storeWith(1_000);
  const answer = await store.call(['consume', 'orders']);
  assert.equal(answer.code, 0);
  assert.equal(answer.stderr, '1,000 messages consumed.\n');
  const numbers = parseLines<{ n: number }>(answer.stdout).map(({ n }) => n);
  assert.deepEqual(
    numbers,
    Array.from({ length: 1_000 }, (_, n) => n),
  );
  assert.equal((await remaining(store)).messageCount, 0);
  assert.equal((await store.call(['consume', 'orders'])).stdout, '');
});

test('consume --max takes so many and touches no other', async () => {
  const store = await storeWith(10);
  assert.equal(await store.ok(['consume', 'orders', '--max', '3']), '{"n":0}\n{"n":1}\n{"n":2}\n');
  const left = await store.lines(['browse', 'orders']);
  assert.equal(left.length, 7);
  assert.ok(left.every(({ deliveryCount }) => deliveryCount === 0));
});

test('consume --envelope and --json write the facts beside the payload', async () => {
  const store = await storeWith(2);
  const [first] = parseLines<Record<string, unknown>>(
    await store.ok(['consume', 'orders', '--max', '1', '--envelope']),
  );
  const [second] = await store.lines(['consume', 'orders']);
  for (const [n, record] of [first, second].entries()) {
    assert.deepEqual(record?.['payload'], { n });
    assert.equal(record?.['queueName'], 'orders');
    assert.equal(record?.['deliveryCount'], 1);
    assert.match(String(record?.['id']), /^[0-9a-f]{32}$/);
  }
});

test('consume acknowledges a message only when its line was taken', async () => {
  const store = await storeWith(100);
  const taken: string[] = [];
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (taken.length === 5) {
        done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
        return;
      }
      taken.push(chunk.toString());
      done();
    },
  });
  const answer = await store.call(['consume', 'orders'], { stdout });
  assert.equal(answer.code, 0);
  assert.equal(taken.length, 5);
  const info = await remaining(store);
  assert.deepEqual([info.ready, info.leased, info.scheduled], [95, 0, 0]);
  const rest = parseLines<{ n: number }>(await store.ok(['consume', 'orders']));
  assert.deepEqual(
    rest.map(({ n }) => n),
    Array.from({ length: 95 }, (_, n) => n + 5),
  );
});

test('consume fails, and loses nothing, when standard output cannot be written', async () => {
  const store = await storeWith(3);
  const stdout = new Writable({
    write: (_chunk, _encoding, done) =>
      done(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })),
  });
  const answer = await store.call(['consume', 'orders'], { stdout });
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, /no space left/);
  assert.equal((await remaining(store)).ready, 3);
});

test('consume stops at a signal: what was written is done, the rest is back', async () => {
  const store = await storeWith(2_000);
  const interrupt = new AbortController();
  const lines: string[] = [];
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      if (lines.length === 10) interrupt.abort();
      setImmediate(done);
    },
  });
  const answer = await store.call(['consume', 'orders'], { stdout, signal: interrupt.signal });
  assert.equal(answer.code, 130);
  const info = await remaining(store);
  assert.deepEqual([info.ready, info.leased], [2_000 - lines.length, 0]);
  assert.ok(lines.length < 1_000, `${lines.length} lines`);
});

test('consume --follow waits for messages until the signal', async () => {
  const store = await storeWith(0);
  const interrupt = new AbortController();
  const lines: string[] = [];
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      interrupt.abort();
      done();
    },
  });
  await store.ok(['publish', '1', '--queue', 'orders', '--delay', '200ms']);
  const answer = await store.call(['consume', 'orders', '--follow'], {
    stdout,
    signal: interrupt.signal,
  });
  assert.equal(answer.code, 130);
  assert.deepEqual(lines, ['1\n']);
});

test('consume --wait stays for a message that comes within the time', async () => {
  const store = await storeWith(0);
  await store.ok(['publish', '1', '--queue', 'orders', '--delay', '100ms']);
  assert.equal(await store.ok(['consume', 'orders', '--wait', '20s', '--max', '1']), '1\n');
});

test('consume checks its options', async () => {
  const store = await storeWith(0);
  for (const options of [
    ['--follow', '--wait', '1s'],
    ['--timeout', '1s'],
    ['--max', '0'],
    ['--concurrency', '0'],
    ['--wait', 'long'],
  ]) {
    const answer = await store.call(['consume', 'orders', ...options]);
    assert.equal(answer.code, 2, options.join(' '));
  }
  assert.equal((await store.call(['consume', 'nothing'])).code, 3);
});
