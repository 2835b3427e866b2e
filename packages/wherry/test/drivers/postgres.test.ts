import { after, before, test } from 'node:test';
import { conformanceSuite, type CreateStore } from '../../src/testing/index.ts';
import { type PostgresServer, startPostgres } from '../servers/postgres.ts';
import { histories } from './histories.ts';
import { TestStores } from './postgres/stores.ts';
import { BOUND_LEASES_GO_ON } from './redis/gaps.ts';

let postgres: PostgresServer;
let stores: TestStores;

before(async () => {
  postgres = await startPostgres();
  stores = new TestStores(await postgres.createDatabase());
});

after(async () => {
  await stores.close();
  await postgres.stop();
});

const createStore: CreateStore = (clock) => stores.create(clock);

conformanceSuite({
  name: 'postgres',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: BOUND_LEASES_GO_ON,
  model: histories(5),
  createStore,
});
