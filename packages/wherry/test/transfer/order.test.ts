/** What is moved is handed out at the target in the order, and at the moments, of the source. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseBatch } from '../../src/core/transfer/next-batch.ts';
import { byPlace, type Place } from '../../src/core/transfer/places.ts';
import { migrate } from '../../src/migrate.ts';
import { PatientClock, TestStore } from './world.ts';

const NAME = 'orders';

/** A message, and what was done with it before the migration. */
interface Past {
  readonly standing: { readonly priority: number; readonly group: string | null };
  /** Steps of the clock until it is available first. */
  readonly delay: number;
  /** It was tried, and is in back-off for so many steps. */
  readonly backOff: number;
  /** Steps to live. */
  readonly ttl: number | null;
}

const STEP_MS = 10_000;
const STEPS = 6;

/** Within a group priority is ignored; here it is one for each. */
const standings = fc.constantFrom(
  ...[0, 1, 2].map((priority) => ({ priority, group: null })),
  { priority: 0, group: 'a' },
  { priority: 1, group: 'b' },
);

const pasts = fc.array(
  fc.record({
    standing: standings,
    delay: fc.constantFrom(0, 0, 0, 2, 4),
    backOff: fc.constantFrom(0, 0, 0, 1, 3),
    ttl: fc.constantFrom(null, null, null, 3, 5),
  }),
  { minLength: 1, maxLength: 30 },
);

/** @param megabytes what each message weighs: heavy ones are moved a few at a time */
async function fill(clock: PatientClock, past: readonly Past[], megabytes: number) {
  const store = await TestStore.inMemory(clock);
  const queue = await store.queue(NAME);
  const ids = await store.publish(
    queue,
    past.map(({ standing, delay, ttl }, at) => ({
      body: `${at}`,
      bytes: megabytes * 1_000_000,
      priority: standing.priority,
      groupId: standing.group,
      delay: delay * STEP_MS,
      ttl: ttl === null ? null : ttl * STEP_MS,
    })),
  );
  const tried = new Set(ids.filter((_, at) => past[at]!.backOff > 0 && past[at]!.delay === 0));
  for (const message of await store.take(queue)) {
    if (!tried.has(message.id)) {
      await store.driver.release([{ receipt: receipt(message), delay: 0, as: 'unstarted' }]);
      continue;
    }
    const delay = past[ids.indexOf(message.id)]!.backOff * STEP_MS;
    await store.driver.release([{ receipt: receipt(message), delay, as: 'retry' }]);
  }
  return store;

  function receipt({ id, lease }: { id: string; lease: { token: number } }) {
    return { queue, id, token: lease.token };
  }
}

/** @returns what is handed out in each step of time */
async function drain(clock: PatientClock, store: TestStore): Promise<string[][]> {
  const queue = await store.queue(NAME);
  const steps: string[][] = [];
  for (let step = 0; step < STEPS; step++) {
    steps.push(await store.consume(queue));
    clock.manual.advance(STEP_MS);
  }
  return steps;
}

test('priorities, groups, delays, back-offs and expiries are at the target what they were', async () => {
  let moved = 0;
  await fc.assert(
    fc.asyncProperty(pasts, fc.constantFrom(0, 4, 8, 16), async (past, megabytes) => {
      const [hereClock, thereClock] = [new PatientClock(), new PatientClock()];
      const stays = await fill(hereClock, past, megabytes);
      const source = await fill(thereClock, past, megabytes);
      const target = await TestStore.inMemory(thereClock);
      const result = await migrate({
        from: keptOpen(source),
        to: keptOpen(target),
        queues: [NAME],
        clock: thereClock,
      });
      assert.equal(result.queues[0]?.moved, past.length);
      moved += past.length;
      const [there, here] = [await drain(thereClock, target), await drain(hereClock, stays)];
      for (const group of [null, 'a', 'b']) {
        const isOfGroup = (body: string): boolean => past[Number(body)]!.standing.group === group;
        const ofGroup = (steps: string[][]) => steps.map((step) => step.filter(isOfGroup));
        assert.deepEqual(ofGroup(there), ofGroup(here), `group ${group}`);
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(moved > 1_000);
});

function keptOpen({ driver }: TestStore) {
  return new Proxy(driver, {
    get(target, name) {
      if (name === 'close') return async () => {};
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function place(sequence: number, groupId: string | null = null, priority = 0): Place {
  return { id: String(sequence), sequence, groupId, priority };
}

test('followers that a group brought along before their turn go back', () => {
  const taken = [place(1, 'a'), place(8, 'a'), place(9, 'a'), place(2)];
  const choice = chooseBatch(taken, [], { max: 4, perGroup: 3 });
  assert.deepEqual(numbers(choice.keep), [1, 2]);
  assert.deepEqual(numbers(choice.putBack), [8, 9]);
});

test('when all that is ready was taken, nothing goes back', () => {
  const taken = [place(1, 'a'), place(8, 'a'), place(2)];
  const choice = chooseBatch(taken, [], { max: 4, perGroup: 3 });
  assert.deepEqual([choice.keep.length, choice.putBack.length], [3, 0]);
});

test('those that wait for their time go at their place', () => {
  const scheduled = [place(3, null, 1), place(2), place(5)]
    .map((one) => ({ ...one, holdsGroup: false }))
    .toSorted(byPlace);
  const choice = chooseBatch([place(1), place(4)], scheduled, { max: 2, perGroup: 1 });
  // Higher priority comes first, so there is room for one more.
  assert.deepEqual(numbers(choice.keep), [1]);
  assert.deepEqual(numbers(choice.scheduled), [3]);
});

function numbers(places: readonly Place[]): number[] {
  return places.map(({ sequence }) => sequence);
}
