import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type PostgresServer, startPostgres } from '../../packages/wherry/test/servers/postgres.ts';
import { runExample } from './run-example.ts';

let server: PostgresServer | undefined;
after(() => server?.stop());

test('transfer-money: every transfer is booked once, however often the worker is killed', async () => {
  if (process.env['DATABASE_URL'] === undefined) {
    server = await startPostgres();
    process.env['DATABASE_URL'] = await server.createDatabase();
  }
  const { code, output } = await runExample('transfer-money/main.ts');
  assert.equal(code, 0, output);
  const facts = [
    /^(\d+) transfers ordered, (\d+) customers changed their mind$/m,
    /^the worker was killed (\d+) times$/m,
    /^(\d+) transfers booked, 0 booked twice, 0 not booked$/m,
    /^(\d+) in all accounts together, as at the start: true$/m,
    /^accounts with a wrong balance: 0$/m,
  ].map((line) => line.exec(output)?.slice(1).map(Number) ?? assert.fail(`${line}:\n${output}`));
  const [[ordered, changesOfMind], [kills], [booked], [balance]] = facts as [
    number[],
    number[],
    number[],
    number[],
  ];
  assert.deepEqual([ordered, changesOfMind], [100, 50]);
  assert.ok(kills! >= 3, output);
  assert.equal(booked, ordered);
  assert.equal(balance, 10_000);
});
