import assert from 'node:assert/strict';
import type { TopologyChange } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { AspectTests } from './aspect.ts';
import { eventually, newMessage, receiptOf } from './fixture.ts';

export const topologyTests: AspectTests = {
  'an entry is created, changed and removed by its version': async ({ driver: { topology } }) => {
    const entry = { kind: 'k', name: 'e', value: { type: 'topic' } };
    const created = await topology.put(entry, 0);
    assert.ok(created);
    assert.deepEqual(created, { ...entry, number: created.number, version: 1 });
    assert.equal(await topology.put(entry, 0), null, 'it is there already');
    const changed = await topology.put({ ...entry, value: [1] }, 1);
    assert.deepEqual(changed, { ...created, version: 2, value: [1] });
    assert.equal(await topology.put(entry, 1), null, 'somebody changed it since');
    assert.equal(await topology.remove('k', 'e', 1), false);
    assert.deepEqual(await topology.load(), [changed]);
    assert.equal(await topology.remove('k', 'e', 2), true);
    assert.equal(await topology.remove('k', 'e', 2), false);
    assert.deepEqual(await topology.load(), []);
  },

  'of two changes to one version one wins': async ({ driver: { topology } }) => {
    const put = (value: number) => topology.put({ kind: 'k', name: 'n', value }, 0);
    const created = await Promise.all([put(1), put(2), put(3)]);
    assert.equal(created.filter((entry) => entry !== null).length, 1);
    assert.deepEqual(
      await topology.load(),
      created.filter((entry) => entry !== null),
    );
  },

  'kinds and names do not mix, whatever they hold': async ({ driver: { topology } }) => {
    const names = ['a', 'b', 'a/b', 'A', '["a","b"]', 'ü🚣', 'x'.repeat(255), '__proto__'];
    for (const kind of ['queue', 'a', 'b']) {
      for (const name of names) {
        assert.ok(await topology.put({ kind, name, value: { kind, name } }, 0));
      }
    }
    const entries = await topology.load();
    assert.equal(entries.length, 3 * names.length);
    for (const { kind, name, value } of entries) assert.deepEqual(value, { kind, name });
    assert.equal(new Set(entries.map(({ number }) => number)).size, entries.length);
  },

  'a value may change later, on both sides, without effect': async ({ driver: { topology } }) => {
    const value = { list: [1] };
    const created = await topology.put({ kind: 'k', name: 'n', value }, 0);
    value.list.push(2);
    (created!.value as typeof value).list.push(3);
    const [loaded] = await topology.load();
    assert.deepEqual(loaded?.value, { list: [1] });
  },

  'watchers see each change, until they stop': async ({ driver: { topology } }) => {
    const changes: TopologyChange[] = [];
    const stop = topology.watch((change) => changes.push(change));
    const created = await topology.put({ kind: 'k', name: 'n', value: 1 }, 0);
    const changed = await topology.put({ kind: 'k', name: 'n', value: 2 }, 1);
    await topology.put({ kind: 'k', name: 'n', value: 3 }, 1);
    await topology.remove('k', 'n', 2);
    await eventually(() => changes.length >= 3);
    stop();
    await topology.put({ kind: 'k', name: 'other', value: 1 }, 0);
    assert.deepEqual(changes, [
      { type: 'put', entry: created },
      { type: 'put', entry: changed },
      { type: 'removed', kind: 'k', name: 'n' },
    ]);
  },

  'G3 a queue that is made again has another number, and none of the old messages': async (t) => {
    const first = await t.createQueue('again');
    await t.sendAll(first, ['a', 'b']);
    const leased = await t.takeOne(first);
    assert.equal(await t.deleteQueue(first), 2);
    const second = await t.createQueue('again');
    assert.notEqual(second.number, first.number);
    assert.deepEqual(await t.states(second), { ready: 0, scheduled: 0, leased: 0 });
    assert.deepEqual(await t.take(second), []);
    assert.deepEqual(await t.driver.settle([receiptOf(first, leased)]), [0]);
    assert.deepEqual(await t.driver.settle([receiptOf(second, leased)]), [0]);
    assert.equal(await t.driver.get(leased.id), null);
  },

  'a deleted queue is missing for senders and not found for takers': async (t) => {
    const queue = await t.createQueue('deleted');
    await t.deleteQueue(queue);
    const outcome = await t.publish([queue], newMessage('m'));
    assert.deepEqual(outcome, { status: 'missing', queue: 'deleted' });
    await assert.rejects(() => t.take(queue), QueueNotFoundError);
    assert.deepEqual(await t.driver.topology.load(), []);
    assert.deepEqual(await t.sweep(), []);
  },

  'a number that is not of a queue deletes nothing': async (t) => {
    const { driver } = t;
    const queue = await t.createQueue('queue');
    const other = await driver.topology.put({ kind: 'k', name: 'other', value: 1 }, 0);
    const forged = { ...queue, number: other!.number };
    await driver.deleteQueue(forged, { onlyIfEmpty: false }).catch(() => undefined);
    const names = (await driver.topology.load()).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), ['other', 'queue']);
  },

  'a queue is deleted with all it holds, leases void': async (t) => {
    const queue = await t.createQueue('deleted');
    const kept = await t.createQueue('kept');
    await t.send(kept, 'kept');
    const ids = await t.sendAll(queue, ['a', 'b', 'c'], { groupId: 'g', ttl: 90_000 });
    ids.push(await t.send(queue, 'delayed', { delay: 5 }));
    const leased = await t.takeOne(queue);
    assert.equal(await t.deleteQueue(queue), 4);
    for (const id of ids) assert.equal(await t.driver.get(id), null);
    const receipt = receiptOf(queue, leased);
    assert.deepEqual(await t.driver.settle([receipt]), [0]);
    assert.deepEqual(await t.driver.release([{ receipt, delay: 0, as: 'retry' }]), [0]);
    t.clock.advance(100_000);
    assert.deepEqual(await t.sweep(), []);
    assert.deepEqual(await t.takeTexts(kept), ['kept']);
  },

  'a queue that is not empty is not deleted when told so': async (t) => {
    const queue = await t.createQueue('not-empty');
    await t.send(queue, 'a');
    const ifEmpty = () => t.driver.deleteQueue(queue, { onlyIfEmpty: true });
    assert.deepEqual(await ifEmpty(), { deleted: false, messages: 1 });
    const leased = await t.takeOne(queue);
    assert.deepEqual(await ifEmpty(), { deleted: false, messages: 1 });
    await t.release(queue, leased, { delay: Infinity });
    assert.deepEqual(await ifEmpty(), { deleted: false, messages: 1 });
    assert.equal((await t.driver.topology.load()).length, 1);
    await t.driver.purge(queue);
    assert.deepEqual(await ifEmpty(), { deleted: true, messages: 0 });
    t.forgetQueue(queue);
  },

  'a deletion is seen by watchers': async (t) => {
    const queue = await t.createQueue('watched');
    const changes: TopologyChange[] = [];
    t.driver.topology.watch((change) => changes.push(change));
    await t.deleteQueue(queue);
    await eventually(() => changes.length > 0);
    assert.deepEqual(changes, [{ type: 'removed', kind: 'queue', name: 'watched' }]);
  },
};
