/** Checks that the conformance suite sees what the functions of the PostgreSQL driver may get wrong. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { StorageError } from '../../src/core/errors.ts';
import { ManualClock } from '../../src/testing/index.ts';
import { startPostgres, type PostgresServer } from '../servers/postgres.ts';
import { runSuite, type Verdict } from './planted/plant.ts';
import { SQL_BUGS, type SqlBug } from './planted/sql-bugs.ts';
import { TestStores } from './postgres/stores.ts';

let postgres: PostgresServer;

before(async () => {
  postgres = await startPostgres({ config: { fsync: 'off' } });
});

after(() => postgres.stop());

/** Runs the tests that must see one of these bugs. */
async function runTests(
  bugs: readonly SqlBug[],
  transformSql?: (file: string, sql: string) => string,
): Promise<Verdict> {
  const stores = new TestStores(await postgres.createDatabase(), transformSql);
  try {
    // What cannot even be installed is no bug that a test has seen.
    await (await stores.create(new ManualClock())).remove();
    return await runSuite({
      createStore: (clock) => stores.create(clock),
      only: (title) => bugs.some(({ breaks }) => title.startsWith(breaks)),
    });
  } finally {
    await stores.close();
  }
}

/** @returns a function that changes one place of one file */
function planting({ file, correct, wrong }: SqlBug): (name: string, sql: string) => string {
  return (name, sql) => {
    if (name !== file) return sql;
    const parts = sql.split(correct);
    assert.equal(parts.length, 2, `'${correct}' is not in ${file} once`);
    return parts.join(wrong);
  };
}

/** A statement that PostgreSQL refuses would be no bug that a test has seen, either. */
function isSeen(error: unknown): boolean {
  return !(error instanceof StorageError);
}

describe('the suite sees that', () => {
  for (const [name, bug] of Object.entries(SQL_BUGS)) {
    test(name, async () => {
      const { errors } = await runTests([bug], planting(bug));
      assert.ok(errors.some(isSeen), `no '${bug.breaks} …' failed: ${errors.join(', ')}`);
    });
  }
});

test('without a bug the same tests pass', async () => {
  const { failed, passed } = await runTests(Object.values(SQL_BUGS));
  assert.deepEqual(failed, []);
  const unknown = Object.values(SQL_BUGS).filter(
    ({ breaks }) => !passed.some((title) => title.startsWith(breaks)),
  );
  assert.deepEqual(unknown, []);
});
