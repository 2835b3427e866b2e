import { Pool } from 'pg';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';

const CONNECTIONS = 4;
const BATCH = 1_000;

const INSERT = 'insert into message (body) select * from unnest($1::text[])';
const DELETE = `
  delete from message where id in (
    select id from message order by id for update skip locked limit ${BATCH}
  ) returning body`;

/**
 * The limit: a table through the same client. Many rows with one insert; a batch of rows is locked,
 * deleted and handed out in one statement. Nothing of a queue on top: a crash loses what was handed
 * out.
 */
export async function openRawPostgres(url: string): Promise<Contender> {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS });
  await pool.query('create table message (id bigserial primary key, body text not null)');
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
      const take = async (): Promise<void> => {
        while (!stopped.signal.aborted) {
          const { rows } = await pool.query<{ body: string }>({ name: 'delete', text: DELETE });
          for (const { body } of rows) handle(JSON.parse(body) as Payload);
          countdown.count(rows.length);
          // Nobody tells it when something comes.
          if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
      };
      const takers = Promise.all([take(), take()]);
      return {
        done: countdown.done,
        async stop() {
          stopped.abort();
          await takers;
        },
      };
    },
    close: () => pool.end(),
  };
}
