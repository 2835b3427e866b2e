import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageQueueSystem } from 'wherry';
import { ManualClock } from 'wherry/testing';
import { WaitHistogram } from '../../../wherry/src/core/wait-histogram.ts';
import { History } from '../../src/telemetry/history.ts';
import { type Look, Ring } from '../../src/telemetry/ring.ts';
import { startBroker } from '../broker.ts';

const look = (fields: Partial<Look>): Look => ({
  ready: 0,
  scheduled: 0,
  leased: 0,
  oldestAge: null,
  arrived: 0,
  waits: null,
  ...fields,
});

test('a ring has the depth at the end of each step, and the rates within it', () => {
  const ring = new Ring(10, 5);
  ring.add(1_000, look({ ready: 2, arrived: 2 }));
  ring.add(1_010, look({ ready: 3, leased: 1, oldestAge: 7, arrived: 5 }));
  // Two looks in one step: the later one counts, the rates are those of the whole step.
  ring.add(1_020, look({ ready: 9, arrived: 11 }));
  ring.add(1_025, look({ ready: 1, arrived: 11 }));
  const { step, from, series } = ring.read(1_029);
  assert.deepEqual([step, from], [10, 980]);
  assert.deepEqual(series.ready, [null, null, 2, 3, 1]);
  assert.deepEqual(series.leased, [null, null, 0, 1, 0]);
  assert.deepEqual(series.oldestAge, [null, null, 0, 7, 0]);
  assert.deepEqual(series.in, [null, null, null, 300, 400]);
  // 3 came and the depth grew by 2; then 6 came within 15 ms and the depth fell by 3.
  assert.deepEqual(series.out, [null, null, null, 100, 600]);
});

test('a ring forgets what is old, and knows nothing of the time in which nobody looked', () => {
  const ring = new Ring(10, 4);
  for (let at = 0; at < 100; at += 10) ring.add(at, look({ ready: at }));
  assert.deepEqual(ring.read(99).series.ready, [60, 70, 80, 90]);
  ring.add(120, look({ ready: 120 }));
  assert.deepEqual(ring.read(125).series.ready, [90, null, null, 120]);
  assert.deepEqual(ring.read(145).series.ready, [null, 120, null, null]);
  assert.deepEqual(ring.read(1_000).series.ready, [null, null, null, null]);
  // A clock that was set back.
  ring.add(50, look({ ready: 50 }));
  assert.deepEqual(ring.read(125).series.ready, [90, null, null, 120]);
});

test('a queue that was made anew has no rates over the change', () => {
  const ring = new Ring(10, 3);
  ring.add(0, look({ ready: 5, arrived: 50 }));
  ring.add(10, look({ arrived: 1 }));
  ring.add(20, look({ arrived: 3 }));
  assert.deepEqual(ring.read(20).series.in, [null, null, 200]);
});

test('a ring has how long messages waited within each step', () => {
  const ring = new Ring(10, 4);
  const waits = (...buckets: number[]): Float64Array => Float64Array.from(buckets);
  ring.add(0, look({ waits: waits(7, 0, 0, 0, 0) }));
  // 98 within a millisecond and 2 within two; those of before do not count.
  ring.add(10, look({ waits: waits(105, 0, 0, 0, 2) }));
  ring.add(20, look({ waits: waits(105, 0, 0, 0, 2) }));
  const { series } = ring.read(20);
  assert.deepEqual(series.waitP50, [null, null, 1, null]);
  assert.deepEqual(series.waitP99, [null, null, 2, null]);
});

test('the history follows queues as they come and go, up to its limit', async (t) => {
  const clock = new ManualClock();
  const mq = await MessageQueueSystem.open({ clock, queues: [{ name: 'a' }] });
  t.after(() => mq.close());
  const failures: unknown[] = [];
  const history = new History({
    vhosts: { find: (name) => (name === '/' ? mq : undefined), names: () => ['/'] },
    queuesMax: 3,
    now: () => clock.now(),
    failed: (error) => failures.push(error),
  });
  const last = (values: readonly (number | null)[] | undefined): number | null | undefined =>
    values?.at(-1);

  await history.look();
  for (const payload of [1, 2, 3, 4, 5]) await mq.sendMessage('a', { payload });
  await (await mq.receiveMessage('a', 'test'))!.acknowledge();
  await mq.createQueue({ name: 'b' });
  await mq.createQueue({ name: 'c' });
  await mq.sendMessage('b', { payload: 1 });
  clock.advance(5_000);
  await history.look();

  assert.equal(history.size, 3, "the dead letters', a's and b's");
  assert.equal(history.read('/', 'c', 'minutes'), null);
  const chart = history.read('/', 'a', 'minutes')!;
  assert.deepEqual([chart.step, chart.series.ready.length], [5_000, 120]);
  assert.deepEqual([last(chart.series.ready), last(chart.series.in)], [4, 1]);
  assert.equal(last(chart.series.out), 0.2);
  assert.equal(last(chart.series.oldestAge), 5_000);
  assert.equal(last(chart.series.waitP99), 1, 'it was received at once');
  assert.equal(last(history.read('/', 'a', 'hours')!.series.ready), 4);
  const total = history.readTotal('/', 'minutes')!;
  assert.deepEqual([last(total.series.ready), last(total.series.in)], [5, 1.2]);

  // One that is deleted takes its messages along, and nothing out of what came.
  await mq.deleteQueue('b', { force: true });
  await mq.sendMessage('a', { payload: 6 });
  clock.advance(5_000);
  await history.look();
  const after = history.readTotal('/', 'minutes')!;
  assert.deepEqual([last(after.series.ready), last(after.series.in)], [5, 0.2]);
  assert.equal(history.read('/', 'b', 'minutes'), null);
  await history.look();
  assert.notEqual(history.read('/', 'c', 'minutes'), null, 'there is room for c now');
  assert.deepEqual(failures, []);
});

test('a look that fails is told, and the next one goes on', async (t) => {
  const mq = await MessageQueueSystem.open();
  t.after(() => mq.close());
  const failures: unknown[] = [];
  const history = new History({
    vhosts: { find: () => mq, names: () => ['/'] },
    queuesMax: 3,
    now: Date.now,
    failed: (error) => failures.push(error),
  });
  const isGone = t.mock.method(mq, 'getQueueInfo', async () => {
    throw new Error('the store is gone');
  });
  await history.look();
  isGone.mock.restore();
  await history.look();
  assert.equal(failures.length, 1);
  assert.notEqual(history.readTotal('/', 'day'), null);
});

test('ten thousand queues need the memory of the limit', async (t) => {
  const looked = { ...look({ ready: 1 }), name: 'q' };
  const names = Array.from({ length: 10_000 }, (_, i) => ({ name: `q${i}` }));
  const waits = (): Float64Array => new WaitHistogram().counts();
  const mq = {
    listQueues: () => names,
    getQueueInfo: async () => looked,
    queueManager: { waits },
  };
  const queuesMax = 500;
  const before = process.memoryUsage();
  const history = new History({
    vhosts: { find: () => mq as unknown as MessageQueueSystem, names: () => ['/'] },
    queuesMax,
    now: Date.now,
    failed: (error) => assert.fail(String(error)),
  });
  await history.look();
  const bytes = process.memoryUsage().arrayBuffers - before.arrayBuffers;
  t.diagnostic(`${queuesMax} charts take ${Math.round(bytes / 1_024)} KiB`);
  assert.equal(history.size, queuesMax);
  assert.ok(bytes / (queuesMax + 1) < 34_000, `${bytes / queuesMax} bytes each`);
});

test('charts are served for a queue and for all together', async (t) => {
  const broker = await startBroker({ queues: [{ name: 'a/b' }] });
  t.after(() => broker.close());
  const get = async (path: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${broker.url}/api/v1${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const day = await get('/queues/a%2Fb/history?range=day');
  assert.deepEqual([day.status, day.body['step']], [200, 600_000]);
  const { series } = day.body as { series: { ready: (number | null)[] } };
  assert.deepEqual([series.ready.length, series.ready.at(-1)], [144, 0]);
  assert.equal((await get('/overview/history')).body['step'], 5_000);
  assert.equal((await get('/vhosts/%2F/overview/history?range=hours')).body['step'], 60_000);
  assert.equal((await get('/queues/none/history')).body['code'], 'QUEUE_NOT_FOUND');
  assert.equal((await get('/overview/history?range=year')).status, 400);
});
