/** Processes that are paused past their leases, or killed, while others work on the same PostgreSQL. */
import { after, before, suite, test } from 'node:test';
import { type PostgresServer, startPostgres } from '../../servers/postgres.ts';
import { runFaults } from '../shared/fault-run.ts';
import { assertFenced } from '../shared/fenced.ts';
import { PROCESS_FAULTS } from '../shared/process-faults.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';
import { forFaults } from './store.ts';

let postgres: PostgresServer;

before(async () => {
  postgres = await startPostgres();
});

after(() => postgres.stop());

// They wait more than they work.
suite('G4 a holder paused past its lease cannot acknowledge', { concurrency: true }, () => {
  for (const holder of ['idle', 'busy'] as const) {
    test(holder, async (t) => assertFenced(t, await postgres.createDatabase(), holder));
  }
});

test('processes that are paused or killed lose and double nothing', async (t) => {
  const seed = chooseSeed();
  const store = forFaults(await postgres.createDatabase());
  const stores = [store, store];
  assertUnharmed(t, await runFaults({ seed, stores, faults: PROCESS_FAULTS }), seed);
});
