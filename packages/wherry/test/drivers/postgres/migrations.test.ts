import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { StorageVersionError } from '../../../src/core/errors.ts';
import { MIGRATIONS } from '../../../src/drivers/postgres/migration-list.ts';
import {
  applyMigrations,
  pendingMigrations,
  requireMigrations,
} from '../../../src/drivers/postgres/migrations.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { connect, rejection } from './fixture.ts';

const postgres = await startPostgres();
after(() => postgres.stop());

describe('migrations', () => {
  test('make the schema, once', async () => {
    const connection = await connect({ url: await postgres.createDatabase() });
    assert.deepEqual(await pendingMigrations(connection), MIGRATIONS);
    const error = await rejection(requireMigrations(connection), 'STORAGE_MIGRATION');
    assert.match(error.message, /'wherry' does not exist.*wherry migrate-store/);
    assert.deepEqual(await applyMigrations(connection), MIGRATIONS);
    assert.deepEqual(await pendingMigrations(connection), []);
    assert.deepEqual(await applyMigrations(connection), []);
    await requireMigrations(connection);
    await connection.close();
  });

  test('are applied once by many who open a store at the same time', async () => {
    const url = await postgres.createDatabase();
    const connections = await Promise.all(Array.from({ length: 8 }, () => connect({ url })));
    const applied = await Promise.all(connections.map((one) => applyMigrations(one)));
    assert.equal(applied.flat().length, MIGRATIONS.length);
    await Promise.all(connections.map((one) => one.close()));
  });

  test('of two schemas in one database are apart', async () => {
    const url = await postgres.createDatabase();
    const [one, other] = [
      await connect({ url, schema: 'one' }),
      await connect({ url, schema: 'user' }),
    ];
    await applyMigrations(one);
    assert.deepEqual(await pendingMigrations(other), MIGRATIONS);
    await applyMigrations(other);
    const rows = await one.query(
      "SELECT count(*) AS strays FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    );
    assert.deepEqual(rows, [{ strays: 0 }]);
    await Promise.all([one.close(), other.close()]);
  });

  test('leave nothing behind when one fails', async () => {
    const connection = await connect({ url: await postgres.createDatabase() });
    const last = MIGRATIONS.at(-1)!.files.at(-1)!;
    const transformSql = (file: string, sql: string): string =>
      file === last ? `${sql}; SELECT 1 / 0;` : sql;
    await rejection(applyMigrations(connection, { transformSql }), 'STORAGE');
    const found = await connection.query("SELECT to_regnamespace('wherry') AS schema");
    assert.deepEqual(found, [{ schema: null }]);
    await applyMigrations(connection);
    await connection.close();
  });

  test('of a newer version are not touched', async () => {
    const connection = await connect({ url: await postgres.createDatabase() });
    await applyMigrations(connection);
    await connection.query("INSERT INTO wherry.migration (number, title) VALUES (999, 'newer')");
    await assert.rejects(applyMigrations(connection), StorageVersionError);
    await assert.rejects(requireMigrations(connection), /format 999.*Upgrade wherry/);
    await connection.close();
  });

  test('need no right to create schemas where there is one', async () => {
    const url = await postgres.createDatabase();
    const admin = await connect({ url });
    await postgres.query('CREATE USER plain');
    const plain = await connect({ url: url.replace('postgres@', 'plain@') });
    await rejection(applyMigrations(plain), 'STORAGE_AUTH');
    await admin.query('CREATE SCHEMA wherry AUTHORIZATION plain');
    await applyMigrations(plain);
    await requireMigrations(plain);
    await Promise.all([admin.close(), plain.close()]);
  });
});
