/** A schedule that is moved misses no tick and sends none twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScheduleDocument } from '../../src/core/schedules/document.ts';
import { MessageQueueSystem, migrate } from '../../src/index.ts';
import { KilledError, Life } from './mortal.ts';
import { PatientClock, TestStore } from './world.ts';

const MINUTE = 60_000;

async function scheduledWorld() {
  const clock = new PatientClock();
  const [source, target] = [await TestStore.inMemory(clock), await TestStore.inMemory(clock)];
  const life = new Life();
  const open = (store: TestStore) =>
    MessageQueueSystem.open({ storage: life.of(store.driver), clock });
  const here = await open(source);
  await here.createQueue({ name: 'ticks' });
  await here.upsertSchedule('minutely', { every: '1m', queue: 'ticks', message: { payload: 1 } });
  return { clock, source, target, open, here };
}

type World = Awaited<ReturnType<typeof scheduledWorld>>;

async function pass(clock: PatientClock, minutes: number): Promise<void> {
  for (let i = 0; i < minutes; i++) await clock.manual.advanceAsync(MINUTE, turns);
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The ticks for which a message is in one of the stores, in minutes from the beginning. */
async function ticksIn({ source, target }: World, start: number): Promise<number[]> {
  const stored = await Promise.all(
    [source, target].map(async (store) => store.all(await store.queue('ticks'))),
  );
  const times = stored.flat().map(({ properties }) => {
    return Date.parse(properties?.headers?.['scheduled-at'] as string);
  });
  return times.map((time) => (time - start) / MINUTE).toSorted((a, b) => a - b);
}

test('its ticks come from the source up to the move, and from the target after it', async () => {
  const world = await scheduledWorld();
  const { clock, source, target, open, here } = world;
  const start = clock.now();
  await pass(clock, 3);
  const from = new Life().of(source.driver);
  const to = new Life().of(target.driver);
  const { schedules, queues } = await migrate({ from, to, clock });
  assert.deepEqual(schedules, { moved: 1, left: [] });
  assert.equal(queues.find(({ name }) => name === 'ticks')?.moved, 3);
  const there = await open(target);
  await pass(clock, 3);
  assert.deepEqual(await ticksIn(world, start), [1, 2, 3, 4, 5, 6]);
  assert.equal(there.getSchedule('minutely').sent, 6);
  assert.equal(here.getSchedule('minutely').paused, true);
  // Doing it again changes nothing.
  await migrate({ from, to, clock });
  await pass(clock, 1);
  assert.deepEqual(await ticksIn(world, start), [1, 2, 3, 4, 5, 6, 7]);
  await Promise.all([here.close(), there.close()]);
});

test('one that is paused stays paused, and one that is not asked for is left', async () => {
  const { clock, source, target, open, here } = await scheduledWorld();
  await here.createQueue({ name: 'other' });
  const message = { payload: 2 };
  await here.upsertSchedule('elsewhere', { cron: '@daily', queue: 'other', message });
  await here.pauseSchedule('minutely');
  const from = new Life().of(source.driver);
  await migrate({ from, to: new Life().of(target.driver), clock, queues: ['ticks'] });
  const there = await open(target);
  assert.deepEqual(
    there.listSchedules().map(({ name, paused }) => [name, paused]),
    [['minutely', true]],
  );
  assert.equal(here.getSchedule('elsewhere').paused, false);
  await Promise.all([here.close(), there.close()]);
});

for (const when of ['before', 'after'] as const) {
  test(`no tick is lost or doubled when it is killed ${when} any change of a definition`, async () => {
    let isWhole = false;
    for (let call = 1; !isWhole; call++) {
      const world = await scheduledWorld();
      const { clock, source, target, open, here } = world;
      const start = clock.now();
      await pass(clock, 2);
      const life = new Life({ call, when, topologyToo: true });
      const run = async (one: Life) =>
        migrate({ from: one.of(source.driver), to: one.of(target.driver), clock });
      try {
        await run(life);
        isWhole = true;
      } catch (error) {
        assert.ok(error instanceof KilledError, String((error as Error).stack));
        await run(new Life());
      }
      const there = await open(target);
      await pass(clock, 3);
      assert.deepEqual(await ticksIn(world, start), [1, 2, 3, 4, 5], `call ${call}`);
      await Promise.all([here.close(), there.close()]);
    }
  });
}

test('an import makes up for no tick of the time before it', async () => {
  const world = await scheduledWorld();
  const { clock, source, target, open, here } = world;
  await pass(clock, 2);
  const entries = await source.driver.topology.load();
  const { value } = entries.find(({ kind }) => kind === 'schedule')!;
  const { restoreSchedule } = await import('../../src/core/transfer/schedules.ts');
  const { Topology } = await import('../../src/core/topology.ts');
  await here.close();
  clock.manual.advance(100 * MINUTE);
  const topology = new Topology(target.driver.topology, 'dead-letter');
  await topology.open();
  await target.queue('ticks');
  await restoreSchedule(
    { driver: target.driver, topology },
    'minutely',
    value as ScheduleDocument,
    clock.now(),
  );
  const there = await open(target);
  await pass(clock, 2);
  assert.equal((await target.all(await target.queue('ticks'))).length, 2);
  await there.close();
});
