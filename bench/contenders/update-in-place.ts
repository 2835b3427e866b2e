import { Pool } from 'pg';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';

const CONNECTIONS = 4;
const BATCH = 100;

const TABLE = `
  create table job (
    id bigserial primary key, body text not null, state smallint not null default 0, locked_at timestamptz
  );
  create index on job (id) where state = 0`;
const INSERT = 'insert into job (body) select * from unnest($1::text[])';
const CLAIM = `
  update job set state = 1, locked_at = now() where id in (
    select id from job where state = 0 order by id for update skip locked limit ${BATCH}
  ) returning id, body`;
const DONE = 'delete from job where id = any($1::bigint[])';

/**
 * A queue in PostgreSQL as most are: a row is marked while somebody has it in hand, and deleted when
 * it is done. Claims and deletions in batches.
 */
export async function openUpdateInPlace(url: string): Promise<Contender> {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS });
  await pool.query(TABLE);
  const insert = (payloads: readonly Payload[]): Promise<unknown> =>
    pool.query({
      name: 'insert',
      text: INSERT,
      values: [payloads.map((payload) => JSON.stringify(payload))],
    });
  return {
    sendsBestIn: 'batches',
    send: (payload) => insert([payload]),
    sendBatch: insert,
    async consume(count, handle) {
      const countdown = new Countdown(count);
      const stopped = new AbortController();
      const work = async (): Promise<void> => {
        while (!stopped.signal.aborted) {
          const claimed = await pool.query<{ id: string; body: string }>({
            name: 'claim',
            text: CLAIM,
          });
          for (const { body } of claimed.rows) handle(JSON.parse(body) as Payload);
          const ids = claimed.rows.map(({ id }) => id);
          // Nobody tells it when something comes.
          if (ids.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
          else await pool.query({ name: 'done', text: DONE, values: [ids] });
          countdown.count(ids.length);
        }
      };
      const workers = Promise.all([work(), work()]);
      return {
        done: countdown.done,
        async stop() {
          stopped.abort();
          await workers;
        },
      };
    },
    close: () => pool.end(),
  };
}
