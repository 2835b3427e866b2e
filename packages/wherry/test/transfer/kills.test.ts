/** A migration that is killed at any of its calls is finished by the next one: nothing lost, nothing doubled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Driver } from '../../src/core/driver.ts';
import { KilledError, Life } from './mortal.ts';
import { consumeAtTarget, makeWorld, PARKED, runOn, type World } from './orders.ts';
import { PatientClock, TestStore } from './world.ts';

const NAME = 'orders';

async function worldInMemory(): Promise<World> {
  const clock = new PatientClock();
  return makeWorld({
    clock,
    name: NAME,
    source: await TestStore.inMemory(clock),
    target: await TestStore.inMemory(clock),
  });
}

interface Plan {
  /** What a store cannot do. */
  readonly supports?: Partial<Driver['supports']>;
  /** The bounds of the target's queue; left out: as at the source. */
  readonly bounds?: { readonly maxSize?: number; readonly maxBytes?: number };
  /** What happens between the kill and the next run. @returns what was consumed */
  readonly between: (world: World) => Promise<string[]>;
}

const PLANS: Record<string, Plan> = {
  'while nobody consumes': { between: async () => [] },
  'while the target is consumed': { between: consumeAtTarget },
  'while the target is consumed, to a store without atomic batches': {
    supports: { atomicBatch: 'it cannot' },
    between: consumeAtTarget,
  },
  'to a queue that has no room for all, while it is consumed': {
    bounds: { maxSize: 6 },
    between: consumeAtTarget,
  },
  'to a queue that has no room for the big ones, to a store without atomic batches': {
    supports: { atomicBatch: 'it cannot' },
    bounds: { maxBytes: 25_000_000 },
    between: consumeAtTarget,
  },
  'while both are consumed': {
    between: async (world) => [
      ...(await world.source.consume(await world.source.queue(NAME), 2)),
      ...(await consumeAtTarget(world)),
    ],
  },
};

for (const [title, { supports, bounds, between }] of Object.entries(PLANS)) {
  for (const when of ['before', 'after'] as const) {
    test(`killed ${when === 'before' ? 'before' : 'after'} any call reaches its store, ${title}`, async () => {
      let isWhole = false;
      let kills = 0;
      for (let call = 1; !isWhole; call++) {
        const world = await worldInMemory();
        const { source, target } = world;
        const from = await source.queue(NAME);
        const to = await target.queue(NAME, { deadLetterQueue: 'dead-letter', ...bounds });
        const life = new Life({ call, when });
        const done: string[] = [];
        try {
          await runOn(world, life, supports);
          isWhole = true;
        } catch (error) {
          assert.ok(error instanceof KilledError, String((error as Error).stack));
          kills++;
          done.push(...(await between(world)));
        }
        await runOn(world, new Life(), supports);
        for (let runs = bounds === undefined ? 20 : 0; runs < 20; runs++) {
          done.push(...(await target.consume(to)));
          await runOn(world, new Life(), supports);
        }
        assert.deepEqual(await source.all(from), [], `call ${call}`);
        const stored = await target.all(to);
        const bodies = [...done, ...stored.map(({ body }) => body as string)];
        assert.deepEqual(bodies.toSorted(), world.sent.toSorted(), `call ${call}`);
        const parked = stored.find(({ body }) => body === 'parked');
        assert.deepEqual(parked?.parked, PARKED, `call ${call}`);
      }
      assert.ok(kills >= 10, `only ${kills} kills`);
    });
  }
}

test('killed again and again, each run goes on where the last one ended', async () => {
  const world = await worldInMemory();
  const done: string[] = [];
  for (let runs = 0; runs < 100; runs++) {
    try {
      await runOn(
        world,
        new Life({ call: 1 + (runs % 7), when: runs % 2 === 0 ? 'after' : 'before' }),
        {},
      );
      break;
    } catch (error) {
      assert.ok(error instanceof KilledError);
      done.push(...(await consumeAtTarget(world)));
    }
  }
  const stored = await world.target.all(await world.target.queue(NAME));
  const left = await world.source.all(await world.source.queue(NAME));
  const bodies = [...done, ...[...stored, ...left].map(({ body }) => body as string)];
  assert.deepEqual(bodies.toSorted(), world.sent.toSorted());
});
