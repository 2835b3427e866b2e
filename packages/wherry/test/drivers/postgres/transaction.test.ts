import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import pg from 'pg';
import { ValidationError } from '../../../src/core/errors.ts';
import { transactionOf } from '../../../src/core/transaction.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { LIBRARIES } from './libraries.ts';

const postgres = await startPostgres();
const url = await postgres.createDatabase();
const pool = new pg.Pool({ connectionString: url, max: 1 });
after(async () => {
  await pool.end();
  await postgres.stop();
});
await pool.query('CREATE TABLE sent (text text)');

async function sent(): Promise<string[]> {
  const { rows } = await pool.query<{ text: string }>('DELETE FROM sent RETURNING text');
  return rows.map(({ text }) => text);
}

/** As the store's own statements: text in, one column of text out. The values are not in order. */
const STATEMENT =
  "WITH done AS (INSERT INTO sent VALUES ($2::text || '?') RETURNING text) " +
  "SELECT json_build_object('camel_case', $1::text, 'text', text)::text AS answer FROM done";

describe('a transaction of the caller', () => {
  for (const [name, open] of Object.entries(LIBRARIES)) {
    test(`of ${name} runs our statements, to its end`, async () => {
      const library = open(url);
      const run = async (tx: unknown): Promise<void> => {
        const result = await transactionOf(tx).query(STATEMENT, ['one', `"'\\ {é}`]);
        const rows = 'rows' in result ? result.rows : result;
        const [row] = rows as [{ answer: string }];
        const answer = { camel_case: 'one', text: `"'\\ {é}?` };
        assert.deepEqual(JSON.parse(row.answer), answer);
      };
      try {
        await library.transaction(run);
        assert.deepEqual(await sent(), [`"'\\ {é}?`]);
        const back = new Error('roll back');
        const failed = library.transaction(async (tx) => {
          await run(tx);
          throw back;
        });
        await assert.rejects(failed, (error) => error === back);
        assert.deepEqual(await sent(), []);
      } finally {
        await library.close();
      }
    });

    test(`of ${name} is refused where none has begun`, async () => {
      const library = open(url);
      try {
        assert.throws(() => transactionOf(library.outside), ValidationError);
      } finally {
        await library.close();
      }
    });
  }

  test('may be anything with query(text, values)', async () => {
    const seen: unknown[] = [];
    const tx = { query: async (...args: unknown[]) => (seen.push(args), [{ answer: 1 }]) };
    assert.deepEqual(await transactionOf(tx).query('a', ['b']), [{ answer: 1 }]);
    assert.deepEqual(seen, [['a', ['b']]]);
  });

  test('of a client that has not begun one is refused', async () => {
    const client = await pool.connect();
    try {
      assert.throws(() => transactionOf(client), /no transaction has begun/);
      await client.query('BEGIN');
      transactionOf(client);
      await client.query('ROLLBACK');
      assert.throws(() => transactionOf(client), ValidationError);
    } finally {
      client.release();
    }
  });

  test('of anything else is refused', () => {
    for (const tx of [null, 'tx', {}, [], () => 1, { execute: () => 1 }]) {
      assert.throws(() => transactionOf(tx), /must be a transaction of pg, postgres\.js/);
    }
  });
});
