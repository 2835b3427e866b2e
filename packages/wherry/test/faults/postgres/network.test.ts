/** A network that fails between a PostgreSQL and one of the processes. */
import { test } from 'node:test';
import { startPostgres } from '../../servers/postgres.ts';
import { startProxy } from '../../servers/tcp-proxy.ts';
import { runFaults } from '../shared/fault-run.ts';
import { networkFaults } from '../shared/network-faults.ts';
import { assertUnharmed, chooseSeed } from '../shared/verdict.ts';
import { forFaults, SILENCE_MS } from './store.ts';

test('a network that fails on the way to a PostgreSQL loses nothing', async (t) => {
  const postgres = await startPostgres();
  t.after(() => postgres.stop());
  const proxy = await startProxy(postgres.port);
  t.after(() => proxy.stop());
  const url = forFaults(await postgres.createDatabase());
  const seed = chooseSeed();
  const stores = [proxy.urlOf(url), url];
  assertUnharmed(
    t,
    await runFaults({ seed, stores, faults: networkFaults(proxy, SILENCE_MS) }),
    seed,
  );
});
