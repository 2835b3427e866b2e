import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestStore } from './harness.ts';

/** A store in which the messages 0 … count-1 of queue 'jobs' died. */
async function storeWithDead(count: number): Promise<{ store: TestStore; ids: string[] }> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'jobs', '--max-retries', '0']);
  const input = Array.from({ length: count }, (_, n) => `${n}\n`).join('');
  await store.ok(['publish', '--stdin', '--queue', 'jobs'], { input });
  await store.call(['consume', 'jobs', '--exec', 'echo "no good" >&2; exit 1']);
  const dead = await store.lines<{ id: string }>(['dead-letters', 'list']);
  return { store, ids: dead.map(({ id }) => id) };
}

test('dead-letters list says where, why and of what a message died', async () => {
  const { store } = await storeWithDead(2);
  const table = (await store.ok(['dead-letters', 'list'])).trimEnd().split('\n');
  assert.match(table[0] ?? '', /^ID +DIED IN +REASON +DEATHS +AT +ERROR +PAYLOAD$/);
  assert.match(
    table[1] ?? '',
    /^[0-9a-f]{32} +jobs +max-retries +1 +\d{4}-\S+Z +command: exit code 1: no good +0$/,
  );
  assert.equal(table.length, 3);
  const limited = await store.lines(['dead-letters', 'list', '--limit', '1']);
  assert.equal(limited.length, 1);
});

test('dead-letters redrive sends all of them back', async () => {
  const { store } = await storeWithDead(3);
  assert.equal(await store.ok(['dead-letters', 'redrive']), 'Moved 3 messages.\n');
  assert.equal(await store.ok(['dead-letters', 'list']), 'No dead messages.\n');
  assert.equal(await store.ok(['consume', 'jobs']), '0\n1\n2\n');
});

test('dead-letters redrive moves a few, or those that are named', async () => {
  const { store, ids } = await storeWithDead(4);
  assert.deepEqual(await store.json(['dead-letters', 'redrive', '--max', '1']), {
    moved: 1,
    skipped: 0,
    missing: 0,
  });
  await store.ok(['dead-letters', 'redrive', '--id', String(ids[2]), String(ids[3])]);
  const left = await store.lines<{ id: string }>(['dead-letters', 'list']);
  assert.deepEqual(
    left.map(({ id }) => id),
    [ids[1]],
  );
  const answer = await store.call(['dead-letters', 'redrive', '--id', 'f'.repeat(32)]);
  assert.equal(answer.code, 5);
  assert.match(answer.stdout, /1 not found/);
});

test('dead-letters redrive sends them elsewhere, at a rate', async () => {
  const { store } = await storeWithDead(3);
  await store.ok(['queue', 'create', 'repair']);
  await store.ok(['dead-letters', 'redrive', '--to', 'repair', '--rate', '1000']);
  assert.equal(await store.ok(['consume', 'repair']), '0\n1\n2\n');
  assert.equal((await store.call(['dead-letters', 'redrive', '--to', 'nowhere'])).code, 3);
  assert.equal((await store.call(['dead-letters', 'redrive', '--rate', '0'])).code, 2);
});

test('dead-letters redrive leaves what has no queue to go to, and exits with 5', async () => {
  const { store } = await storeWithDead(2);
  await store.ok(['queue', 'delete', 'jobs']);
  const answer = await store.call(['dead-letters', 'redrive']);
  assert.equal(answer.code, 5);
  assert.match(answer.stdout, /Moved 0 messages; 2 left where they were/);
});

test("dead-letters work on a queue's own dead-letter queue", async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'dead-jobs']);
  await store.ok([
    'queue',
    'create',
    'jobs',
    '--max-retries',
    '0',
    '--dead-letter-queue',
    'dead-jobs',
  ]);
  await store.ok(['publish', '--stdin', '--queue', 'jobs'], { input: '1\n2\n' });
  await store.call(['consume', 'jobs', '--exec', 'exit 1']);
  assert.equal((await store.lines(['dead-letters', 'list'])).length, 0);
  assert.equal((await store.lines(['dead-letters', 'list', '--queue', 'dead-jobs'])).length, 2);
  await store.ok(['dead-letters', 'redrive', '--from', 'dead-jobs', '--max', '1']);
  assert.deepEqual(await store.json(['dead-letters', 'purge', '--queue', 'dead-jobs']), {
    messages: 1,
  });
  assert.equal(await store.ok(['consume', 'jobs']), '1\n');
});

test('dead-letters purge deletes them for good', async () => {
  const { store } = await storeWithDead(2);
  assert.equal(await store.ok(['dead-letters', 'purge']), 'Deleted 2 dead messages.\n');
  assert.equal((await store.lines(['dead-letters', 'list'])).length, 0);
});
