/** Queues are moved between stores of every kind, and a kill at any call loses and doubles nothing. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { KilledError, Life } from './mortal.ts';
import { consumeAtTarget, makeWorld, PARKED, runOn, type World } from './orders.ts';
import { Servers, type StoreKind } from './servers.ts';
import { PatientClock, TestStore } from './world.ts';

const servers = new Servers();
before(() => servers.start());
afterEach(() => servers.closeStores());
after(() => servers.stop());

const PAIRS: readonly (readonly [StoreKind, StoreKind])[] = [
  ['memory', 'redis'],
  ['lmdb', 'redis'],
  ['lmdb', 'postgres'],
  ['redis', 'postgres'],
  ['postgres', 'redis'],
  ['redis', 'lmdb'],
  ['postgres', 'lmdb'],
];

/** Each kind is a source and a target once. */
const KILLED_PAIRS: typeof PAIRS = [
  ['lmdb', 'redis'],
  ['redis', 'postgres'],
  ['postgres', 'lmdb'],
];

/** @returns a function that makes one queue after the other in one pair of stores */
async function worldsOn(source: StoreKind, target: StoreKind): Promise<() => Promise<World>> {
  const clock = new PatientClock();
  const [from, to] = [await servers.open(source, clock), await servers.open(target, clock)];
  const stores = { clock, source: new TestStore(from), target: new TestStore(to) };
  let queues = 0;
  return () => makeWorld({ ...stores, name: `orders-${++queues}` });
}

for (const [source, target] of PAIRS) {
  test(`from ${source} to ${target}: order, delays, groups and parked messages`, async () => {
    const world = await (await worldsOn(source, target))();
    const { clock, target: to, name } = world;
    await runOn(world, new Life());
    const queue = await to.queue(name);
    assert.deepEqual(await world.source.all(await world.source.queue(name)), []);
    const first = ['plain 1', 'plain 3', 'plain 0', 'plain 2', 'big 0', 'big 1', 'last'];
    assert.deepEqual(await to.consume(queue), first);
    clock.manual.advance(30_000);
    assert.deepEqual(await to.consume(queue), ['tried', 'behind']);
    clock.manual.advance(30_000);
    assert.deepEqual(await to.consume(queue), ['delayed']);
    const [parked, ...others] = await to.all(queue);
    assert.deepEqual([parked?.body, parked?.parked, others], ['parked', PARKED, []]);
  });
}

for (const [source, target] of KILLED_PAIRS) {
  for (const when of ['before', 'after'] as const) {
    test(`from ${source} to ${target}: killed ${when} any call reaches its store`, async () => {
      const makeNext = await worldsOn(source, target);
      let isWhole = false;
      let kills = 0;
      for (let call = 1; !isWhole; call++) {
        const world = await makeNext();
        const done: string[] = [];
        try {
          await runOn(world, new Life({ call, when }));
          isWhole = true;
        } catch (error) {
          assert.ok(error instanceof KilledError, String((error as Error).stack));
          kills++;
          done.push(...(await consumeAtTarget(world)));
        }
        await runOn(world, new Life());
        const left = await world.source.all(await world.source.queue(world.name));
        assert.deepEqual(left, [], `call ${call}`);
        const stored = await world.target.all(await world.target.queue(world.name));
        const bodies = [...done, ...stored.map(({ body }) => body as string)];
        assert.deepEqual(bodies.toSorted(), world.sent.toSorted(), `call ${call}`);
      }
      assert.ok(kills >= 10, `only ${kills} kills`);
    });
  }
}
