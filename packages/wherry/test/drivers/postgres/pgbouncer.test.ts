import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { applyMigrations } from '../../../src/drivers/postgres/migrations.ts';
import { conformanceSuite } from '../../../src/testing/index.ts';
import { BOUND_LEASES_GO_ON } from '../redis/gaps.ts';
import { startPgBouncer } from '../../servers/pgbouncer.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { connect } from './fixture.ts';
import { TestStores } from './stores.ts';

const postgres = await startPostgres();
// Few enough that transactions of different clients follow each other on one connection.
const bouncer = await startPgBouncer(postgres, { config: { default_pool_size: 3 } });
const stores = new TestStores(bouncer.urlOf(await postgres.createDatabase()));
after(async () => {
  await stores.close();
  await bouncer.stop();
  await postgres.stop();
});

describe('behind PgBouncer', () => {
  test('a connection knows that nothing can be kept in a session', async () => {
    const url = await postgres.createDatabase();
    const [direct, behind] = [await connect({ url }), await connect({ url: bouncer.urlOf(url) })];
    assert.ok(!direct.isShared);
    assert.ok(behind.isShared);
    await Promise.all([direct.close(), behind.close()]);
  });

  test('migrations are applied once, and transactions are whole', async () => {
    const url = bouncer.urlOf(await postgres.createDatabase());
    const connections = await Promise.all(Array.from({ length: 8 }, () => connect({ url })));
    await Promise.all(connections.map((one) => applyMigrations(one)));
    await connections[0]!.query('CREATE TABLE counter (n int)');
    await connections[0]!.query('INSERT INTO counter VALUES (0)');
    const add = (n: number): Promise<unknown> =>
      connections[n % 8]!.transaction(async (query) => {
        const [row] = await query<{ n: number }>('SELECT n FROM counter FOR UPDATE');
        await query('UPDATE counter SET n = $1', [row!.n + 1]);
      });
    await Promise.all(Array.from({ length: 100 }, (_, n) => add(n)));
    assert.deepEqual(await connections[0]!.query('SELECT n FROM counter'), [{ n: 100 }]);
    await Promise.all(connections.map((one) => one.close()));
  });
});

/** They take long and see nothing of the connection: postgres.test.ts has them. */
const ELSEWHERE = /random histories|with many groups held back/;

conformanceSuite({
  name: 'behind PgBouncer',
  test: (title, body) => (ELSEWHERE.test(title) ? undefined : test(title, body)),
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: BOUND_LEASES_GO_ON,
  createStore: stores.create,
});
