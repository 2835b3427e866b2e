/** What the tests of this folder share. */
import assert from 'node:assert/strict';
import { StorageError } from '../../../src/core/errors.ts';
import { Connection } from '../../../src/drivers/postgres/connection.ts';
import { type PostgresDriverOptions, readOptions } from '../../../src/drivers/postgres/options.ts';

/** @returns an open connection; close it */
export async function connect(options: PostgresDriverOptions): Promise<Connection> {
  const connection = new Connection(readOptions(options));
  await connection.open();
  return connection;
}

/** @returns the error that a promise must reject with: a StorageError of this code */
export async function rejection(promise: Promise<unknown>, code: string): Promise<StorageError> {
  const error: unknown = await promise.then(
    () => assert.fail(`it did not reject with ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StorageError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}
