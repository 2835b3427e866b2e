import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestStore } from './harness.ts';

test('browse shows messages in their order and leaves them where they are', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const input = Array.from({ length: 250 }, (_, n) => `${n}\n`).join('');
  await store.ok(['publish', '--stdin', '--queue', 'orders'], { input });
  const table = (await store.ok(['browse', 'orders'])).trimEnd().split('\n');
  assert.equal(table.length, 21);
  assert.match(table[0] ?? '', /^ID +PRIORITY +STORED +RETRIES +PAYLOAD$/);
  assert.match(table[20] ?? '', / 19$/);
  const all = await store.lines<{ payload: number }>(['browse', 'orders', '--limit', '1000']);
  assert.deepEqual(
    all.map(({ payload }) => payload),
    Array.from({ length: 250 }, (_, n) => n),
  );
  assert.equal(await store.ok(['browse', 'orders', '--state', 'leased']), 'No leased messages.\n');
});

test('browse shows scheduled messages with their time', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '1', '--queue', 'orders', '--delay', '1h']);
  const table = await store.ok(['browse', 'orders', '--state', 'scheduled']);
  assert.match(table, /AVAILABLE +PAYLOAD\n.*Z +1\n$/);
});

test('browse and its errors', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  assert.equal((await store.call(['browse', 'nothing'])).code, 3);
  assert.equal((await store.call(['browse', 'orders', '--state', 'gone'])).code, 2);
  assert.equal((await store.call(['browse'])).code, 2);
});

test('a payload cannot write escape sequences to the terminal', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '\u001b[2Jgone\u009b1m', '--text', '--queue', 'orders']);
  const { stdout } = await store.call(['browse', 'orders'], { terminal: true });
  // The heading is bold, the payload is not allowed to be.
  const row = stdout.split('\n')[1] ?? '';
  for (const character of ['\u001b', '\u009b']) assert.equal(row.includes(character), false);
  assert.match(row, /\\u001b\[2Jgone\\u009b1m/);
  const { stdout: json } = await store.call(['browse', 'orders', '--json'], { terminal: true });
  assert.equal(json.includes('\u009b'), false);
  assert.equal((JSON.parse(json) as { payload: string }).payload, '\u001b[2Jgone\u009b1m');
  const input = '"\u001b[2J';
  const refused = await store.call(['publish', '--stdin', '--queue', 'orders'], { input });
  assert.equal(refused.code, 5);
  assert.equal(refused.stderr.includes('\u001b'), false);
});
