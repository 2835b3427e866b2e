/**
 * A process dies in the middle of a handler, again and again, always on the same message. That
 * message comes back until its retries are used up, then it is a dead letter; its neighbours, which
 * the same process held, are all handled.
 *
 * This process only starts the workers: `crash.ts worker FOLDER` is one of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem } from 'wherry';
import { temporaryFolder } from './temporary-folder.ts';
import { untilEmpty } from './until-empty.ts';

const POISON = 'job 4';

async function work(storage: string): Promise<void> {
  await using mq = await MessageQueueSystem.open({ storage });
  await mq.createConsumer<string>({
    id: 'worker',
    queueName: 'jobs',
    concurrency: 2,
    handler: async ({ payload, deliveryCount }) => {
      console.log(`  ${payload} begins, delivery ${deliveryCount}`);
      await sleep(20);
      // As when the kernel runs out of memory: nothing in this process can react to it.
      if (payload === POISON) process.kill(process.pid, 'SIGKILL');
      console.log(`  ${payload} done`);
    },
  });
  await untilEmpty(mq, 'jobs');
}

async function startWorker(storage: string): Promise<'finished' | 'killed'> {
  const args = [...process.execArgv, import.meta.filename, 'worker', storage];
  const worker = spawn(process.execPath, args, { stdio: 'inherit' });
  const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null];
  if (code === 0) return 'finished';
  if (signal === 'SIGKILL') return 'killed';
  throw new Error(`The worker ended with code ${code}, signal ${signal}.`);
}

async function main(): Promise<void> {
  await using folder = await temporaryFolder();
  const storage = folder.path;
  {
    // Closed at the end of this block: one process at a time owns a folder.
    await using mq = await MessageQueueSystem.open({ storage });
    await mq.createQueue({ name: 'jobs', maxRetries: 2 });
    for (let n = 1; n <= 8; n++) await mq.sendMessage('jobs', { payload: `job ${n}` });
  }

  let outcome: string;
  let number = 0;
  do {
    console.log(`worker ${++number} starts`);
    outcome = await startWorker(storage);
    console.log(`worker ${number} ${outcome}`);
  } while (outcome === 'killed');

  await using mq = await MessageQueueSystem.open({ storage });
  for (const { message, deaths } of (await mq.deadLetterQueue.list()).messages) {
    console.log(`dead letter: ${String(message.payload)} (${deaths.at(-1)?.reason})`);
  }
}

const [role, storage] = process.argv.slice(2);
await (role === 'worker' ? work(storage!) : main());
