/** Processes that are paused past their leases, or killed, while others work on the same PostgreSQL. */
import { after, before, test } from 'node:test';
import { type PostgresServer, startPostgres } from '../../servers/postgres.ts';
import { runFaults } from '../shared/fault-run.ts';
import { assertFenced } from '../shared/fenced.ts';
import { PROCESS_FAULTS } from '../shared/process-faults.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';

let postgres: PostgresServer;

before(async () => {
  postgres = await startPostgres();
});

after(() => postgres.stop());

for (const holder of ['idle', 'busy'] as const) {
  test(`G4 a holder, ${holder} and paused past its lease, cannot acknowledge`, async (t) =>
    assertFenced(t, await postgres.createDatabase(), holder));
}

test('processes that are paused or killed lose and double nothing', async (t) => {
  const seed = chooseSeed();
  const store = await postgres.createDatabase();
  const stores = [store, store];
  assertUnharmed(t, await runFaults({ seed, stores, faults: PROCESS_FAULTS }), seed);
});
