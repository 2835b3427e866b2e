import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageInUseError } from '../../../src/core/errors.ts';
import { encodeChecked } from '../../../src/drivers/lmdb/checked-json.ts';
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { kill, startChild } from './children.ts';
import { Fixture } from './fixture.ts';

const OWNER = Buffer.from('owner');

test('a second driver of this process is refused with its pid', async (t) => {
  const fixture = await Fixture.create(t);
  const second = createLmdbDriver({ path: fixture.path, clock: fixture.clock });
  await assert.rejects(second.open(), (error: StorageInUseError) => {
    assert.ok(error instanceof StorageInUseError);
    assert.equal(error.ownerPid, process.pid);
    return error.message.includes(fixture.path);
  });
  const queue = await fixture.createQueue('queue');
  assert.equal((await fixture.publish(queue, {})).length, 1, 'the first goes on');
});

test('another process is refused as long as the owner lives, and takes over from a dead one', async (t) => {
  const fixture = await Fixture.create(t);
  await fixture.driver.close();
  const { child } = await startChild('hold', fixture.path);
  const refused = (error: StorageInUseError): boolean => error.ownerPid === child.pid;
  await assert.rejects(fixture.driver.open(), refused);
  child.kill('SIGSTOP');
  await assert.rejects(fixture.driver.open(), refused, 'one that stands still lives');
  await kill(child);
  await fixture.driver.open();
  assert.deepEqual(await fixture.driver.topology.load(), []);
  assert.equal(fixture.driver.recoveredAt, await fixture.driver.now());
  await fixture.driver.close();
  await fixture.driver.open();
  assert.equal(fixture.driver.recoveredAt, null);
});

test('of several who find a dead owner one takes over', async (t) => {
  const fixture = await Fixture.create(t);
  await fixture.driver.close();
  const { child } = await startChild('hold', fixture.path);
  await kill(child);
  const { path, clock } = fixture;
  const drivers = Array.from({ length: 5 }, () => createLmdbDriver({ path, clock }));
  const opened = await Promise.allSettled(drivers.map((driver) => driver.open()));
  assert.equal(opened.filter(({ status }) => status === 'fulfilled').length, 1);
  await Promise.all(drivers.map((driver) => driver.close()));
  await fixture.driver.open();
});

test('an owner whose number another process has now is dead', async (t) => {
  const fixture = await Fixture.create(t);
  const owner = { pid: process.ppid, started: '1', boot: '', instance: 'gone' };
  await fixture.behindItsBack((_tables, root) => root.putSync(OWNER, encodeChecked(owner)));
  await fixture.driver.open();
});

test("what was closed is nobody's", async (t) => {
  const fixture = await Fixture.create(t);
  await fixture.behindItsBack((_tables, root) => {
    assert.equal(root.getBinaryFast(OWNER), undefined);
  });
});
