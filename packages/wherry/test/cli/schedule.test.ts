import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactDuration } from '../../src/cli/units.ts';
import { TestStore } from './harness.ts';

/** A store with a queue. */
async function storeWithQueue(): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'jobs']);
  return store;
}

const nightly = ['schedule', 'add', 'nightly', '{"job":1}', '--cron', '30 2 * * *'];
const toJobs = ['--queue', 'jobs'];

test('schedule add, list, next', async () => {
  const store = await storeWithQueue();
  const added = await store.ok([...nightly, '--timezone', 'Europe/Berlin', ...toJobs]);
  assert.match(added, /^Created schedule 'nightly'\. Next: \d{4}-.*T0[01]:30:00\.000Z\.\n$/);
  const options = ['--header', 'a=b', '--priority', '3', '--catch-up', 'all', '--limit', '2'];
  const span = ['--start-at', '2090-01-01', '--end-at', '2090-01-02T00:00Z'];
  const poll = ['schedule', 'add', 'poll', 'ping', '--text', '--every', '90s', ...toJobs];
  const made = await store.json([...poll, ...options, ...span]);
  assert.deepEqual(
    { ...made, createdAt: null },
    {
      name: 'poll',
      cron: null,
      timezone: null,
      every: 90_000,
      queue: 'jobs',
      exchange: null,
      routingKey: null,
      message: { payload: 'ping', headers: { a: 'b' }, priority: 3 },
      catchUp: 'all',
      startAt: '2090-01-01T00:00:00.000Z',
      endAt: '2090-01-02T00:00:00.000Z',
      limit: 2,
      paused: false,
      createdAt: null,
      lastTick: null,
      sent: 0,
      next: '2090-01-01T00:00:00.000Z',
      created: true,
    },
  );
  const table = await store.ok(['schedule', 'list']);
  assert.match(table, /^NAME +WHEN +TO +SENT +LAST +NEXT\n/);
  assert.match(table, /^nightly +30 2 \* \* \* Europe\/Berlin +jobs +0 +- +\d{4}-/m);
  assert.match(table, /^poll +every 90s +jobs +0 +- +2090-01-01T00:00:00.000Z$/m);
  assert.equal(
    await store.ok(['schedule', 'next', 'poll']),
    '2090-01-01T00:00:00.000Z\n2090-01-01T00:01:30.000Z\n',
  );
  const five = JSON.parse(await store.ok(['schedule', 'next', 'nightly', '--json'])) as string[];
  assert.equal(five.length, 5);
});

test('schedule add changes one that is there; pause, resume and remove', async () => {
  const store = await storeWithQueue();
  await store.ok([...nightly, ...toJobs]);
  assert.match(await store.ok([...nightly, ...toJobs, '--priority', '1']), /^Updated schedule/);
  assert.equal(await store.ok(['schedule', 'pause', 'nightly']), "Paused schedule 'nightly'.\n");
  assert.equal(await store.ok(['schedule', 'next', 'nightly']), 'It is paused.\n');
  assert.match(await store.ok(['schedule', 'list']), /^nightly .* paused$/m);
  const resumed = await store.json(['schedule', 'resume', 'nightly']);
  assert.deepEqual(resumed, { name: 'nightly', paused: false });
  assert.equal(await store.ok(['schedule', 'remove', 'nightly']), "Removed schedule 'nightly'.\n");
  assert.match(await store.ok(['schedule', 'list']), /^There are no schedules\./);
  for (const verb of ['next', 'pause', 'resume', 'remove']) {
    const answer = await store.call(['schedule', verb, 'nightly']);
    assert.equal(answer.code, 3, verb);
    assert.match(answer.stderr, /does not exist\. List what there is with: wherry schedule list/);
  }
});

test('schedule add through an exchange', async () => {
  const store = await storeWithQueue();
  await store.ok(['exchange', 'create', 'events', '--type', 'topic']);
  const add = ['schedule', 'add', 's', '1', '--every', '1h', '--exchange', 'events'];
  await store.ok([...add, '--routing-key', 'a.b']);
  assert.match(await store.ok(['schedule', 'list']), /^s +every 1h +events a\.b /m);
});

test('wrong schedules are refused', async () => {
  const store = await storeWithQueue();
  const add = ['schedule', 'add', 's'];
  const wrong: [string[], number][] = [
    [[...add, '1', ...toJobs], 2],
    [[...add, '1', '--every', '1m', '--cron', '* * * * *', ...toJobs], 2],
    [[...add, '1', '--every', '1m'], 2],
    [[...add, '1', '--every', '1m', ...toJobs, '--routing-key', 'x'], 2],
    [[...add, 'no json', '--every', '1m', ...toJobs], 2],
    [[...add, '1', '--cron', 'at noon', ...toJobs], 2],
    [[...add, '1', '--every', '1m', ...toJobs, '--start-at', 'soon'], 2],
    [[...add, '1', '--every', '1m', ...toJobs, '--catch-up', 'some'], 2],
    [[...add, '1', '--every', '1m', '--queue', 'nowhere'], 3],
    [['schedule', 'next', 's', '--count', '0'], 2],
  ];
  for (const [args, code] of wrong) {
    assert.equal((await store.call(args)).code, code, args.join(' '));
  }
});

test('a length of time is shown exactly', () => {
  assert.deepEqual([90_000, 7_200_000, 1_001, 86_400_000].map(exactDuration), [
    '90s',
    '2h',
    '1001ms',
    '1d',
  ]);
});
