/** A PostgreSQL that is killed, restarted, held up, or ends our sessions, under processes at work. */
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresServer, startPostgres } from '../../servers/postgres.ts';
import { type Fault, runFaults } from '../shared/fault-run.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';
import { forFaults } from './store.ts';

const ROUNDS = 5;

/** Ends every session of ours, in the middle of whatever it does. */
async function endSessions(postgres: PostgresServer): Promise<void> {
  await postgres.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity ' +
      "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
  );
}

function faultsOf(postgres: PostgresServer): Fault[] {
  return [
    { name: 'all sessions ended', strike: () => endSessions(postgres) },
    {
      name: `all sessions ended ${ROUNDS} times`,
      strike: async () => {
        for (let round = 0; round < ROUNDS; round++) {
          await endSessions(postgres);
          await sleep(100);
        }
      },
    },
    { name: 'server restarted fast', strike: () => postgres.restart('fast') },
    { name: 'server restarted immediately', strike: () => postgres.restart('immediate') },
    {
      name: 'server killed, away for 2 s',
      strike: async () => {
        await postgres.kill();
        await sleep(2_000);
        await postgres.restart();
      },
    },
    {
      name: 'server held up for 2 s',
      strike: async () => {
        postgres.pause();
        await sleep(2_000);
        postgres.continue();
      },
    },
  ];
}

test('a PostgreSQL that fails and comes back loses and doubles nothing', async (t) => {
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const url = forFaults(await postgres.createDatabase());
  const seed = chooseSeed();
  const report = await runFaults({ seed, stores: [url, url], faults: faultsOf(postgres) });
  assertUnharmed(t, report, seed);
});
