import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import type { TransferPlan, TransferResult } from '../../src/index.ts';
import { TestStore } from './harness.ts';

async function filledStore(): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders', '--max-retries', '7']);
  await store.ok(['exchange', 'create', 'events', '--type', 'topic']);
  await store.ok(['binding', 'create', '--exchange', 'events', '--queue', 'orders']);
  const input = '{"n":0}\n{"n":1}\n';
  await store.ok(['publish', '--stdin', '--queue', 'orders'], { input });
  await store.ok(['publish', '{"n":2}', '--queue', 'orders', '--delay', '1h']);
  return store;
}

test('migrate moves everything into another store', async () => {
  const [source, target] = [await filledStore(), new TestStore()];
  const text = await source.ok(['migrate', '--to', target.path]);
  assert.match(text, /^QUEUE +MOVED +LEFT +WHY$/m);
  assert.match(text, /^orders +3 +0$/m);
  assert.match(text, /1 exchange, 1 binding, 0 schedules\.\n$/);
  assert.equal(await target.ok(['consume', 'orders']), '{"n":0}\n{"n":1}\n');
  const info = await target.json<{ settings: { maxRetries: number }; scheduled: number }>([
    'queue',
    'info',
    'orders',
  ]);
  assert.deepEqual([info.settings.maxRetries, info.scheduled], [7, 1]);
  assert.equal((await source.json(['queue', 'info', 'orders']))['messageCount'], 0);
});

test('migrate --dry-run says what there is to do, and does nothing', async () => {
  const [source, target] = [await filledStore(), new TestStore()];
  const text = await source.ok(['migrate', '--to', target.path, '--dry-run']);
  assert.match(text, /^orders +2 +1 +0 +21 B +new$/m);
  assert.ok(!existsSync(target.path));
  await target.ok(['queue', 'create', 'orders', '--max-size', '5']);
  const args = ['migrate', '--to', target.path, '--dry-run', '--queue', 'orders'];
  const { queues } = await source.json<TransferPlan>(args);
  assert.deepEqual(
    queues.map(({ name, ready, exists, differing }) => ({ name, ready, exists, differing })),
    [{ name: 'orders', ready: 2, exists: true, differing: ['maxSize', 'maxRetries'] }],
  );
});

test('migrate moves the queues that are named, and tells what it left', async () => {
  const [source, target] = [await filledStore(), new TestStore()];
  await source.ok(['queue', 'create', 'other']);
  await source.ok(['publish', '1', '--queue', 'other']);
  await target.ok(['queue', 'create', 'orders', '--max-size', '1']);
  const args = ['migrate', '--from', source.path, '--to', target.path, '--queue', 'orders'];
  const refused = await source.call(args);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /'orders' exists with other settings \(maxSize, maxRetries\)/);
  const { code, stdout } = await source.call([...args, '--keep-settings', '--json']);
  assert.equal(code, 5);
  const result = JSON.parse(stdout) as TransferResult;
  assert.deepEqual(
    result.queues.map(({ name, moved, refusal, left }) => ({ name, moved, refusal, left })),
    [
      {
        name: 'orders',
        moved: 1,
        refusal: 'maxSize',
        left: { ready: 1, scheduled: 1, leased: 0 },
      },
    ],
  );
  assert.equal((await source.json(['queue', 'info', 'other']))['ready'], 1);
  const table = await source.call([...args, '--keep-settings']);
  assert.match(table.stdout, /^orders +0 +2 +no room at the target \(maxSize\)$/m);
});

test('migrate shows a bar on a terminal', async () => {
  const [source, target] = [await filledStore(), new TestStore()];
  const answer = await source.call(['migrate', '--to', target.path], { terminal: true });
  assert.equal(answer.code, 0);
  assert.match(answer.stderr, /\[[=-]+\]/);
  assert.match(answer.stderr, /messages?, orders/);
});

test('migrate wants two stores, the first of them there', async () => {
  const [source, target] = [await filledStore(), new TestStore()];
  assert.equal((await source.call(['migrate'])).code, 2);
  assert.equal((await target.call(['migrate', '--to', source.path])).code, 3);
  assert.equal((await source.call(['migrate', '--to', source.path])).code, 2);
  assert.equal((await source.call(['migrate', '--to', target.path, '--queue', 'no'])).code, 3);
});
