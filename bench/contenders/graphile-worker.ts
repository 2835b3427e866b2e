import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { Pool } from 'pg';
import type { Payload } from '../workloads/payload.ts';
import { type Contender, Countdown } from './contender.ts';
import { untilNone } from './until-empty.ts';

const TASK = 'bench';
const CONNECTIONS = 10;
/** A few times what its documentation begins with; its rates grow no further beyond. */
const WORKER = {
  concurrentJobs: 100,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

/** graphile-worker with its local queue and its batched completions. */
export async function openGraphileWorker(url: string): Promise<Contender> {
  // It would write a line for each job.
  process.env['NO_LOG_SUCCESS'] = '1';
  const logger = new Logger(() => () => {});
  const pgPool = openPool(url);
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  return {
    sendsBestIn: 'batches',
    send: (payload) => utils.addJob(TASK, payload),
    sendBatch: (payloads) =>
      utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload }))),
    async consume(count, handle) {
      const countdown = new Countdown(count);
      const workers = openPool(url);
      const runner = await run({
        pgPool: workers,
        taskList: {
          [TASK]: async (payload) => {
            handle(payload as Payload);
            countdown.count();
          },
        },
        noHandleSignals: true,
        logger,
        preset: { worker: WORKER },
      });
      return {
        done: countdown.done.then(() => untilNone(pgPool, 'graphile_worker._private_jobs')),
        async stop() {
          await runner.stop();
          await workers.end();
        },
      };
    },
    async close() {
      await utils.release();
      await pgPool.end();
    },
  };
}

function openPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: CONNECTIONS });
  // The library asks for handlers; what fails shows at the call.
  pool.on('error', () => {});
  pool.on('connect', (client) => void client.on('error', () => {}));
  return pool;
}
