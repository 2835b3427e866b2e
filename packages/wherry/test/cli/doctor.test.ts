import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestStore } from './harness.ts';

interface Report {
  readonly path: string;
  readonly queues: number;
  readonly messages: number;
  readonly problems: { code: string; message: string }[];
  readonly repaired: number;
  readonly compacted?: { before: number; after: number };
}

async function storeWith(payload: string, count: number): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const input = `${payload}\n`.repeat(count);
  await store.ok(['publish', '--stdin', '--text', '--queue', 'orders'], { input });
  return store;
}

/** Changes one byte of a stored payload, as a failing disk would. */
function damage(store: TestStore, payload: string): void {
  const file = join(store.path, 'data.mdb');
  const bytes = readFileSync(file);
  const at = bytes.lastIndexOf(payload);
  assert.notEqual(at, -1, 'the payload is in the file');
  for (let place = at; place !== -1; place = bytes.lastIndexOf(payload, place - 1)) {
    bytes[place] = (bytes[place] ?? 0) ^ 1;
  }
  writeFileSync(file, bytes);
}

test('doctor finds a sound store sound', async () => {
  const store = await storeWith('hello', 3);
  const text = await store.ok(['doctor']);
  assert.match(text, /: 2 queues, 3 messages\.\nNo problems found\.\n$/);
  const report = await store.json<Report>(['doctor', store.path]);
  assert.deepEqual([report.messages, report.problems, report.repaired], [3, [], 0]);
});

test('doctor reports a damaged record with exit code 1', async () => {
  const store = await storeWith('a payload to be damaged', 1);
  await store.ok(['publish', 'sound', '--text', '--queue', 'orders']);
  damage(store, 'a payload to be damaged');
  const found = await store.call(['doctor']);
  assert.equal(found.code, 1);
  assert.match(found.stdout, /1 problem found, 0 repaired\./);
  const report = JSON.parse((await store.call(['doctor', '--json'])).stdout) as Report;
  assert.equal(report.problems.length, 1);
  // What was in the message nobody knows: it is set aside, the others are not touched.
  const tried = await store.call(['doctor', '--repair']);
  assert.equal(tried.code, 1);
  assert.match(tried.stdout, /cannot be mended/);
  assert.equal(await store.ok(['consume', 'orders']), '"sound"\n');
  const [dead] = await store.lines<{ deaths: { reason: string }[] }>(['dead-letters', 'list']);
  assert.equal(dead?.deaths[0]?.reason, 'invalid');
});

test('doctor --compact gives the room of what is gone back', async () => {
  const store = await storeWith('x'.repeat(10_000), 500);
  await store.ok(['queue', 'purge', 'orders']);
  const { compacted } = await store.json<Report>(['doctor', '--compact']);
  assert.ok(compacted !== undefined && compacted.after < compacted.before / 10);
  assert.match(await store.ok(['doctor', '--compact']), /^Compacted from .* to .*\.$/m);
  await store.ok(['publish', '1', '--queue', 'orders']);
  assert.equal(await store.ok(['consume', 'orders']), '1\n');
});

test('doctor checks folders only', async () => {
  const store = new TestStore();
  assert.equal((await store.call(['doctor', 'memory:'])).code, 2);
  assert.equal((await store.call(['doctor', store.path])).code, 3);
});
