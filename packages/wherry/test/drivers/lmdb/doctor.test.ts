import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { QueueRef } from '../../../src/core/driver.ts';
import { StorageError, StorageInUseError } from '../../../src/core/errors.ts';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { FORMAT } from '../../../src/drivers/lmdb/format.ts';
import { textKey } from '../../../src/drivers/lmdb/keys.ts';
import type { Table, Tables } from '../../../src/drivers/lmdb/tables.ts';
import { bodies, Fixture, receiptOf } from './fixture.ts';

/** A store in which every table has something. */
async function createStore(fixture: Fixture): Promise<QueueRef> {
  const queue = await fixture.createQueue('queue', { deduplicationWindow: 60_000 });
  const dead = await fixture.createQueue('dead');
  const groups = ['1', '2', '3'].map((body) => ({ body, groupId: 'g' }));
  await fixture.publish(queue, { body: 'dead' }, { body: 'retried', groupId: 'h' }, ...groups);
  await fixture.publish(
    queue,
    { ttl: 60_000, priority: 7 },
    { delay: 10 },
    { deduplicationId: 'd' },
    { deduplicationId: 'd', keepLast: true, fence: { key: 'k', value: 1 } },
  );
  await fixture.publish(queue, { body: 'behind', groupId: 'h' });
  const [swift, first, second] = await fixture.take(queue, { max: 3, bound: false });
  await fixture.driver.move([{ receipt: receiptOf(queue, first!), targets: [dead] }]);
  const receipt = receiptOf(queue, second!);
  await fixture.driver.release([{ receipt, delay: 50, as: 'retry' }]);
  assert.equal(swift!.priority, 7);
  return queue;
}

const TABLES = [
  'places',
  'ids',
  'expiry',
  'heads',
  'dedup',
  'dedupTimes',
] as const satisfies readonly (keyof Tables)[];

function firstKey(table: Table): Uint8Array {
  for (const key of table.getKeys()) return Uint8Array.from(key);
  throw new Error('The table is empty.');
}

test('a store that is in order has no problems', async (t) => {
  const fixture = await Fixture.create(t);
  await createStore(fixture);
  await fixture.driver.close();
  const report = await doctor(fixture.path);
  assert.deepEqual(report, {
    path: fixture.path,
    format: FORMAT,
    queues: 2,
    messages: 10,
    problems: [],
    repaired: 0,
  });
  await fixture.driver.open();
});

for (const name of TABLES) {
  for (const harm of ['missing', 'made up'] as const) {
    test(`an entry of '${name}' that is ${harm} is found and mended`, async (t) => {
      const fixture = await Fixture.create(t);
      const queue = await createStore(fixture);
      await fixture.behindItsBack((tables) => {
        const table: Table = tables[name];
        const key = firstKey(table);
        if (harm === 'missing') {
          table.removeSync(key);
          return;
        }
        const other = Uint8Array.from(key);
        other[other.length - 1]! ^= 0x55;
        table.putSync(other, Uint8Array.from(table.getBinary(key)!));
      });
      // A deduplication record alone contradicts nothing.
      const looked = await doctor(fixture.path);
      assert.notEqual(looked.problems.length, 0, 'found');
      assert.equal(looked.repaired, 0, 'looking mends nothing');
      const mended = await doctor(fixture.path, { repair: true });
      assert.deepEqual(mended.problems, looked.problems);
      assert.ok(mended.repaired > 0);
      assert.deepEqual((await doctor(fixture.path)).problems, [], 'mended');
      await fixture.driver.open();
      const [head] = await fixture.take(queue, { max: 1 });
      assert.equal(head!.body, '1', 'the queue goes on');
    });
  }
}

test('entries that name no message to replace, or no queue, are found and removed', async (t) => {
  const fixture = await Fixture.create(t);
  await createStore(fixture);
  await fixture.behindItsBack(({ lasts, fences, buckets }) => {
    lasts.putSync(textKey(1, 'other'), Uint8Array.from(lasts.getBinary(firstKey(lasts))!));
    fences.putSync(textKey(77, 'k'), new Uint8Array(8));
    buckets.putSync(textKey(77, 'g'), new Uint8Array(20));
  });
  const { problems, repaired } = await doctor(fixture.path, { repair: true });
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['orphan', 'orphan', 'orphan'],
  );
  assert.equal(repaired, 3);
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await fixture.driver.open();
});

test('a group keeps as many heads as it has slots', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue', { groupMaxInFlight: 3 });
  assert.deepEqual(await fixture.take(queue), []);
  const members = ['1', '2', '3', '4'].map((body) => ({ body, groupId: 'g' }));
  await fixture.publish(queue, ...members);
  await fixture.behindItsBack(({ heads }) => heads.removeSync(firstKey(heads)));
  assert.ok((await doctor(fixture.path, { repair: true })).repaired > 0);
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await fixture.driver.open();
  assert.deepEqual(bodies(await fixture.take(queue)), ['1', '2', '3']);
});

test('counters that are wrong are counted anew', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await createStore(fixture);
  const before = await fixture.driver.counts(queue);
  await fixture.behindItsBack(({ messages }) => messages.removeSync(firstKey(messages)));
  const { problems } = await doctor(fixture.path, { repair: true });
  assert.ok(problems.some(({ code }) => code === 'counters'));
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await fixture.driver.open();
  const after = await fixture.driver.counts(queue);
  assert.equal(after.ready + after.leased, before.ready + before.leased - 1);
});

test('compacting makes the file smaller and keeps what is in it', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await createStore(fixture);
  const many = Array.from({ length: 2_000 }, () => ({ body: 'x'.repeat(1_000), delay: 1 }));
  await fixture.publish(queue, ...many);
  assert.equal(await fixture.driver.purge(queue), many.length + 8);
  await fixture.publish(queue, { body: 'kept' });
  await fixture.driver.close();
  const file = join(fixture.path, 'data.mdb');
  const before = statSync(file).size;
  const { compacted, problems } = await doctor(fixture.path, { compact: true });
  assert.equal(compacted!.before, before);
  const after = statSync(file).size;
  assert.ok(Math.max(after, compacted!.after) < before / 10, `${after} of ${before}`);
  assert.deepEqual(problems, []);
  await fixture.driver.open();
  assert.deepEqual(bodies(await fixture.take(queue)), ['kept']);
});

test('progress is told', async (t) => {
  const fixture = await Fixture.create(t);
  await createStore(fixture);
  await fixture.driver.close();
  const seen: number[] = [];
  await doctor(fixture.path, { onProgress: (messages) => seen.push(messages) });
  assert.equal(seen.at(-1), 10);
  await fixture.driver.open();
});

test('a store that is open, or is not there, is not examined', async (t) => {
  const fixture = await Fixture.create(t);
  await assert.rejects(doctor(fixture.path), StorageInUseError);
  await assert.rejects(doctor(join(fixture.path, 'none')), StorageError);
});
