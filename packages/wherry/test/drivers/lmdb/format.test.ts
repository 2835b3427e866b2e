import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StorageError, StorageVersionError } from '../../../src/core/errors.ts';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { FORMAT, storeFacts } from '../../../src/drivers/lmdb/format.ts';
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { Fixture } from './fixture.ts';

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
