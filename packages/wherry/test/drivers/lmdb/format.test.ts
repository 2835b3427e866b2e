import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { LeasedMessage } from '../../../src/core/driver.ts';
import { StorageError, StorageVersionError } from '../../../src/core/errors.ts';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { FORMAT, storeFacts } from '../../../src/drivers/lmdb/format.ts';
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { bodies, Fixture, receiptOf } from './fixture.ts';

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

test('a store of a newer format is refused and not changed', async (t) => {
  const fixture = await Fixture.create(t);
  const facts = { format: FORMAT + 1, salt: 1, lastNumber: 7, nextToken: 9 };
  await fixture.behindItsBack((_tables, root) => storeFacts(root, facts));
  const before = digestOf(join(fixture.path, 'data.mdb'));
  await assert.rejects(fixture.driver.open(), (error: StorageVersionError) => {
    assert.ok(error instanceof StorageVersionError);
    return error.message.includes(String(FORMAT + 1));
  });
  await assert.rejects(doctor(fixture.path), StorageVersionError);
  assert.equal(digestOf(join(fixture.path, 'data.mdb')), before);
});

test('a store that does not know itself any more is refused, not overwritten', async (t) => {
  const fixture = await Fixture.create(t);
  await fixture.behindItsBack((_tables, root) => {
    root.putSync(Buffer.from('facts'), Buffer.from('garbage'));
  });
  const isDamaged = (error: StorageError): boolean => error.code === 'STORAGE_DAMAGED';
  await assert.rejects(fixture.driver.open(), isDamaged);
  await assert.rejects(fixture.driver.open(), isDamaged, 'the second time too');
});

/**
 * A folder of format 1, compressed: a queue with two groups (the head of one backs off), a delayed
 * message, one with a TTL, a deduplication record, and two leases that go on. It was made by version
 * 0.1.0 with the clock that a Fixture begins with.
 */
const FORMAT_1 = new URL('format-1.mdb.gz', import.meta.url);

test('a store of format 1 opens with all that is in it, and goes on', async (t) => {
  const fixture = await Fixture.create(t);
  const { clock, driver } = fixture;
  await driver.close();
  writeFileSync(join(fixture.path, 'data.mdb'), gunzipSync(readFileSync(FORMAT_1)));
  await driver.open();
  const [entry] = await driver.topology.load();
  const queue = unboundedQueue(entry!.name, entry!.number, { deduplicationWindow: 60_000 });
  const states = async (): Promise<number[]> => {
    const { ready, scheduled, leased } = await fixture.driver.counts(queue);
    return [ready, scheduled, leased];
  };
  assert.deepEqual(await states(), [5, 2, 2]);
  assert.deepEqual(await fixture.publish(queue, { deduplicationId: 'd' }), [
    (await driver.browse({ queue, state: 'ready', limit: 9 })).messages.find(
      ({ body }) => body === 'once',
    )!.id,
  ]);
  const wide = { ...queue, groupMaxInFlight: 2 };
  assert.deepEqual(bodies(await fixture.take(wide)), ['ttl', 'once']);
  const leased = (await driver.browse({ queue, state: 'leased', limit: 9 })).messages;
  const g1 = leased.find(({ body }) => body === 'g1') as LeasedMessage;
  assert.deepEqual(await driver.settle([receiptOf(wide, g1)]), []);
  assert.deepEqual(bodies(await fixture.take(wide)), ['g2', 'g3']);
  clock.advance(1_000);
  assert.deepEqual(bodies(await fixture.take(wide)), ['h1', 'delayed']);
  await fixture.publish(wide, { body: 'h3', groupId: 'h' });
  assert.deepEqual(bodies(await fixture.take(wide)), ['h2']);
  await fixture.reopen();
  assert.deepEqual(await states(), [1, 0, 8]);
  await fixture.driver.close();
  const report = await doctor(fixture.path);
  assert.deepEqual([report.format, report.problems], [FORMAT, []]);
  await fixture.driver.open();
});

/**
 * A folder of format 2, compressed: one message of each encoding there was, the first of them leased,
 * a group whose two messages may go, and a fence. Made as the one above.
 */
const FORMAT_2 = new URL('format-2.mdb.gz', import.meta.url);

test('a store of format 2 opens with all that is in it, and takes contents of AMQP', async (t) => {
  const fixture = await Fixture.create(t);
  const { clock, driver } = fixture;
  await driver.close();
  writeFileSync(join(fixture.path, 'data.mdb'), gunzipSync(readFileSync(FORMAT_2)));
  await driver.open();
  const [entry] = await driver.topology.load();
  const queue = unboundedQueue(entry!.name, entry!.number, { groupMaxInFlight: 2 });
  const fence = { key: 'k', value: 3 };
  const body = Uint8Array.of(1, 0, 255);
  assert.deepEqual(await fixture.publish(queue, { fence }), [''], 'the fence stands');
  await fixture.publish(queue, { encoding: 'amqp', body });
  await fixture.reopen();
  clock.advance(1_000);
  const [swept] = (await fixture.driver.sweep(9)).messages;
  assert.deepEqual([swept!.encoding, swept!.body, swept!.priority], ['json', '{"a":1}', 9]);
  const taken = await fixture.take(queue);
  assert.deepEqual(
    taken.map((message) => [message.encoding, [...Buffer.from(message.body)]]),
    [
      ['bytes', [0, 255]],
      ['text', [...Buffer.from('g1')]],
      ['text', [...Buffer.from('g2')]],
      ['text', [...Buffer.from('fenced')]],
      ['amqp', [...body]],
    ],
  );
  const death = { queue: 'before', reason: 'rejected', time: 5, count: 2, error: 'e' };
  assert.deepEqual(taken[0]!.deaths, [death]);
  await fixture.driver.close();
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  await fixture.driver.open();
});

test('opening and closing changes nothing that is stored', async (t) => {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue');
  await fixture.publish(queue, {}, {});
  const before = await fixture.driver.browse({ queue, state: 'ready', limit: 10 });
  await fixture.reopen();
  await fixture.reopen();
  assert.deepEqual(await fixture.driver.browse({ queue, state: 'ready', limit: 10 }), before);
});

test('a folder that cannot be a store is named in the error', async (t) => {
  const fixture = await Fixture.create(t);
  const path = join(fixture.path, 'data.mdb');
  const digest = digestOf(path);
  const driver = createLmdbDriver({ path, clock: fixture.clock });
  await assert.rejects(driver.open(), (error: StorageError) => {
    assert.ok(error instanceof StorageError);
    return error.code === 'STORAGE_OPEN' && error.message.includes(path);
  });
  assert.equal(digestOf(path), digest);
});
