import { Pool } from 'pg';
import { PgBoss } from 'pg-boss';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';
import { untilNone } from './until-empty.ts';

const QUEUE = 'bench';
/** Its handler gets a batch and settles it as one: its fastest way. */
const WORK = { batchSize: 1_000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };

/** pg-boss, woken by notifications. */
export async function openPgBoss(url: string): Promise<Contender> {
  const boss = new PgBoss({
    connectionString: url,
    max: 10,
    useListenNotify: true,
    // A thousand sends wait for ten connections.
    connectionTimeoutMillis: 60_000,
  });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  const pool = new Pool({ connectionString: url, max: 1 });
  const active = `pgboss.job where name = '${QUEUE}' and state < 'completed'`;
  return {
    sendsBestIn: 'batches',
    send: (payload) => boss.send(QUEUE, payload),
    sendBatch: (payloads) =>
      boss.insert(
        QUEUE,
        payloads.map((data) => ({ data })),
      ),
    async consume(count, handle) {
      const countdown = new Countdown(count);
      await boss.work<Payload>(QUEUE, WORK, async (jobs) => {
        for (const { data } of jobs) handle(data);
        countdown.count(jobs.length);
      });
      return {
        done: countdown.done.then(() => untilNone(pool, active)),
        stop: () => boss.offWork(QUEUE),
      };
    },
    async close() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
}
