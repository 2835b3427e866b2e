import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { copyOf, type Table, type Tables } from '../../../src/drivers/lmdb/tables.ts';
import { bodies, Fixture } from './fixture.ts';

/** Changes the n-th record of a table where it is. */
function damage(table: Table, index: number, change: (record: Uint8Array) => void): void {
  const entries = [...table.getRange()].map(({ key, value }) => ({ key, value: copyOf(value) }));
  const { key } = entries[index]!;
  const value = copyOf(table.getBinaryFast(key)!);
  change(value);
  table.putSync(key, value);
}

function flipLast(record: Uint8Array): void {
  record[record.length - 1]! ^= 1;
}

function ruin(record: Uint8Array): void {
  record.fill(0xee);
}

test('a damaged body is said to be, and stays so in the dead letters', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  const dead = await fixture.createQueue('dead');
  await fixture.publish(queue, { body: 'first' }, { body: 'other' });
  await fixture.behindItsBack(({ messages }) => damage(messages, 0, flipLast));
  await fixture.driver.open();
  const [first, second] = await fixture.take(queue);
  assert.deepEqual([first!.damaged, second!.damaged], [true, undefined]);
  assert.deepEqual([first!.encoding, second!.body], ['bytes', 'other']);
  const receipt = { queue, id: first!.id, token: first!.lease.token };
  const death = { queue: 'queue', reason: 'invalid' } as const;
  await fixture.driver.move([{ receipt, targets: [dead], death }]);
  await fixture.reopen();
  const [moved] = await fixture.take(dead);
  assert.equal(moved!.damaged, true);
  assert.deepEqual(bodies([moved!]), ['firsu']);
});

test('a record that cannot be read is set aside and stops nobody', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  await fixture.publish(queue, { body: '1' }, { body: '2' }, { body: '3' });
  await fixture.behindItsBack(({ messages }) => damage(messages, 1, ruin));
  await fixture.driver.open();
  assert.deepEqual(bodies(await fixture.take(queue)), ['1', '3']);
  const counts = await fixture.driver.counts(queue);
  assert.deepEqual([counts.ready, counts.leased], [0, 2]);
  await fixture.driver.close();
  const { problems } = await doctor(fixture.path);
  assert.ok(problems.some(({ code }) => code === 'set-aside'));
  await fixture.driver.open();
});

for (const [name, message] of [
  ['scheduled', { delay: 100 }],
  ['groups', { groupId: 'g' }],
] as const) {
  test(`an unreadable record in '${name}' stops nobody either`, async (t) => {
    const fixture = await Fixture.create(t);
    const queue = await fixture.createQueue('queue');
    const texts = ['1', '2', '3', '4'];
    await fixture.publish(queue, ...texts.map((body) => ({ ...message, body })));
    await fixture.behindItsBack((tables: Tables) => damage(tables[name], 1, ruin));
    await fixture.driver.open();
    fixture.clock.advance(100);
    const seen: string[] = [];
    for (
      let batch = await fixture.take(queue);
      batch.length > 0;
      batch = await fixture.take(queue)
    ) {
      seen.push(...bodies(batch));
      await fixture.driver.settle(
        batch.map(({ id, lease }) => ({ queue, id, token: lease.token })),
      );
    }
    const missing = name === 'groups' ? '3' : '2';
    assert.deepEqual(
      seen,
      texts.filter((text) => text !== missing),
    );
    const { ready, scheduled, leased, bytes } = await fixture.driver.counts(queue);
    assert.deepEqual([ready, scheduled, leased, bytes], [0, 0, 0, 0]);
  });
}

test('a damaged mark costs nothing but the memory of a delivery', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  await fixture.publish(queue, { body: '1' });
  await fixture.take(queue);
  await fixture.behindItsBack(({ marks }) => damage(marks, 0, flipLast));
  await fixture.driver.open();
  assert.deepEqual(bodies(await fixture.take(queue)), ['1']);
});

test('damaged counters are not guessed: the doctor counts', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  await fixture.publish(queue, { body: '1', priority: 3 }, { body: '2', delay: 5 });
  await fixture.behindItsBack(({ counters }) => damage(counters, 0, flipLast));
  await assert.rejects(fixture.driver.open(), /wherry doctor --repair/);
  const report = await doctor(fixture.path, { repair: true });
  assert.deepEqual(report.problems.map(({ code }) => code).toSorted(), [
    'counters',
    'counters-damaged',
  ]);
  await fixture.driver.open();
  const { ready, scheduled, bytes } = await fixture.driver.counts(queue);
  assert.deepEqual([ready, scheduled, bytes], [1, 1, 2]);
});
