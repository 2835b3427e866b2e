/**
 * Keeps a broker busy, so that its dashboard has something to show: the webhooks of main.ts come in
 * waves for as long as this runs, some fail, some become dead letters, and a schedule asks for
 * reports. `npm start -- --demo` starts it beside the broker; by itself it takes a store's URL:
 *
 *   npx tsx examples/github-webhooks/demo.ts http://127.0.0.1:7470
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem } from 'wherry';
import { type Webhook, loadWebhooks } from './corpus.ts';
import { handleWebhook } from './handler.ts';
import { EXCHANGE, ROUTES, createRoutes, priorityOf } from './routes.ts';

/** Between two publishes: a wave from quiet to more than the handlers can do, and back. */
const TICK_MS = 250;
const WAVE_MS = 120_000;
/** Webhooks per second at the foot and at the crest of a wave. */
const RATE = { least: 4, most: 60 } as const;
/** Handlers take so many times longer than in main.ts: else no queue would ever fill. */
const SLOWDOWN = 12;

const signal = abortedBy('SIGINT', 'SIGTERM');
const [storage = 'http://127.0.0.1:7470'] = process.argv.slice(2);
const mq = await MessageQueueSystem.open({ storage });
await declare();
await startConsumers();
console.log(`Webhooks come in waves at ${storage}, until Ctrl-C.`);
await publishWaves(loadWebhooks());
await mq.close({ deadline: '2s' });

async function declare(): Promise<void> {
  await createRoutes(mq);
  // It runs for as long as somebody watches: what is kept of it has a bound.
  const { queueName } = mq.deadLetterQueue;
  await mq.updateQueue(queueName, { maxSize: 1_000, overflow: 'drop-oldest' });
  await mq.createQueue({ name: 'reports' });
  await mq.upsertSchedule('weekly-report', {
    cron: '0 6 * * MON',
    queue: 'reports',
    message: { payload: { report: 'weekly' } },
  });
  await mq.upsertSchedule('open-issues', {
    every: '10s',
    queue: 'reports',
    message: { payload: { report: 'open-issues' } },
  });
}

async function startConsumers(): Promise<void> {
  for (const route of ROUTES) {
    const slow = { ...route, work: route.work * SLOWDOWN };
    for (let n = 1; n <= route.consumers; n++) {
      await mq.createConsumer<Uint8Array>({
        id: `${route.queue.name}-${n}`,
        queueName: route.queue.name,
        concurrency: route.concurrency,
        handler: (delivery) => handleWebhook(slow, delivery),
      });
    }
  }
  await mq.createConsumer({ id: 'reporter', queueName: 'reports', handler: () => sleep(500) });
}

async function publishWaves(webhooks: readonly Webhook[]): Promise<void> {
  const started = Date.now();
  let due = 0;
  let next = 0;
  while (!signal.aborted) {
    const phase = ((Date.now() - started) / WAVE_MS) * 2 * Math.PI;
    const rate = RATE.least + ((RATE.most - RATE.least) * (1 - Math.cos(phase))) / 2;
    due += (rate * TICK_MS) / 1_000;
    const batch = Array.from(
      { length: Math.floor(due) },
      () => webhooks[next++ % webhooks.length]!,
    );
    due -= batch.length;
    const answers = await mq.publishBatch(batch.map(requestOf));
    const refused = answers.find((answer) => !answer.ok);
    if (refused?.ok === false) console.error(refused.error.message);
    await sleep(TICK_MS, undefined, { signal }).catch(() => undefined);
  }
}

function requestOf({ delivery, event, routingKey, body }: Webhook) {
  return {
    exchange: EXCHANGE,
    routingKey,
    message: {
      payload: body,
      contentType: 'application/json',
      headers: { 'X-GitHub-Event': event, 'X-GitHub-Delivery': delivery },
      priority: priorityOf(event),
    },
  };
}

function abortedBy(...signals: NodeJS.Signals[]): AbortSignal {
  const controller = new AbortController();
  for (const name of signals) process.once(name, () => controller.abort());
  return controller.signal;
}
