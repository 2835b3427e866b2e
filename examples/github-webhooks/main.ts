/**
 * Hundreds of real webhook payloads go through a topic exchange into six queues on disk, and are
 * worked on by eight consumers at once; some fail on purpose. At the end each payload is accounted
 * for by its digest. The options are in ../README.md.
 */
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MessageQueueSystem, type QueueInfo } from 'wherry';
import { type Problem, check, checkCounters } from './check.ts';
import { type Webhook, digestOf, loadWebhooks } from './corpus.ts';
import { type Handled, type Outcome, deliveryOf, handleWebhook, possibleEnds } from './handler.ts';
import { EXCHANGE, ROUTES, declareRoutes, priorityOf } from './routes.ts';
import * as report from './report.ts';

/** Publishes that are outstanding together. */
const BATCH = 256;
/** GitHub sends again what was not answered in time: so does this example with every tenth. */
const SENT_TWICE = 10;
/** Milliseconds without any progress after which the run is given up. */
const PATIENCE = 15_000;

/** @returns every webhook `times` times, each with a delivery id of its own */
function repeat(webhooks: readonly Webhook[], times: number): Webhook[] {
  return Array.from({ length: times }, (_, round) =>
    webhooks.map((webhook) => ({ ...webhook, delivery: `${webhook.delivery}#${round + 1}` })),
  ).flat();
}

/** How far the publishing is. */
interface Publishing {
  readonly webhooks: readonly Webhook[];
  /** Webhooks that a publish recognised as sent before. */
  duplicates: number;
  done: boolean;
}

async function publishAll(mq: MessageQueueSystem, publishing: Publishing): Promise<void> {
  const { webhooks } = publishing;
  const again = webhooks.filter((_, n) => n % SENT_TWICE === 0);
  const requests = [...webhooks, ...again].map(({ delivery, event, routingKey, body }) => ({
    exchange: EXCHANGE,
    routingKey,
    message: {
      payload: body,
      contentType: 'application/json',
      headers: { 'X-GitHub-Event': event, 'X-GitHub-Delivery': delivery },
      priority: priorityOf(event),
      deduplicationId: delivery,
    },
  }));
  for (let n = 0; n < requests.length; n += BATCH) {
    for (const answer of await mq.publishBatch(requests.slice(n, n + BATCH))) {
      if (!answer.ok) throw answer.error;
      if (answer.result.duplicate) publishing.duplicates++;
    }
  }
  publishing.done = true;
}

/** Starts the consumers of every queue. @returns what they will have handled, as it grows */
async function startConsumers(mq: MessageQueueSystem): Promise<Handled[]> {
  const handled: Handled[] = [];
  for (const route of ROUTES) {
    for (let n = 1; n <= route.consumers; n++) {
      await mq.createConsumer<Uint8Array>({
        id: `${route.queue.name}-${n}`,
        queueName: route.queue.name,
        concurrency: route.concurrency,
        handler: async (delivery) => handled.push(await handleWebhook(route, delivery)),
      });
    }
  }
  return handled;
}

/** The queues with consumers, in the order of the routes. */
function workQueues(mq: MessageQueueSystem): Promise<QueueInfo[]> {
  return Promise.all(ROUTES.map(({ queue }) => mq.getQueueInfo(queue.name)));
}

/** Shows progress until all is published and handled, or nothing has moved for too long. */
async function untilEmpty(
  mq: MessageQueueSystem,
  publishing: Publishing,
  progress: report.Progress,
): Promise<void> {
  let before = '';
  let movedAt = progress.elapsed;
  while (progress.elapsed - movedAt < PATIENCE) {
    const queues = await workQueues(mq);
    progress.show(queues);
    if (publishing.done && queues.every(({ messageCount }) => messageCount === 0)) break;
    const now = JSON.stringify(queues.map(({ counters }) => counters));
    if (now !== before) movedAt = progress.elapsed;
    before = now;
    await sleep(20);
  }
  progress.clear();
}

async function deadLetters(mq: MessageQueueSystem): Promise<Outcome[]> {
  const dead: Outcome[] = [];
  let cursor: string | undefined;
  do {
    const page = await mq.deadLetterQueue.list(undefined, { cursor, limit: 1_000 });
    for (const { message, deaths } of page.messages) {
      const { queue, reason } = deaths.at(-1)!;
      const digest = digestOf(message.payload as Uint8Array);
      dead.push({ queue, delivery: deliveryOf(message), digest, end: reason });
    }
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  return dead;
}

function findProblems(
  webhooks: readonly Webhook[],
  outcomes: readonly Outcome[],
  queues: readonly QueueInfo[],
): Problem[] {
  const checked = ROUTES.map((route) => ({
    name: route.queue.name,
    patterns: route.patterns,
    possibleEnds: (digest: string) => possibleEnds(digest, route),
  }));
  return [...check(webhooks, outcomes, checked), ...checkCounters(queues, outcomes)];
}

async function main(storage: string, times: number): Promise<number> {
  await using mq = await MessageQueueSystem.open({ storage });
  await declareRoutes(mq);
  const errors: unknown[] = [];
  mq.events.on('consumerError', ({ error }) => errors.push(error));
  const corpus = loadWebhooks();
  const webhooks = repeat(corpus, times);
  console.log(`Publishing ${webhooks.length} webhooks from ${corpus.length} payloads.`);

  const progress = new report.Progress();
  const handled = await startConsumers(mq);
  const publishing: Publishing = { webhooks, duplicates: 0, done: false };
  await Promise.all([publishAll(mq, publishing), untilEmpty(mq, publishing, progress)]);
  const { elapsed } = progress;

  const queues = await workQueues(mq);
  const dead = await deadLetters(mq);
  console.log(`\n${report.queueTable(queues, handled)}\n`);
  console.log(report.priorityLine('audit-log', handled));
  console.log(`${publishing.duplicates} webhooks that were sent twice were recognised.`);
  console.log(report.deadLetterLine(dead));
  console.log(`To look at them: npx wherry dead-letters list --store ${storage}\n`);

  const problems = findProblems(webhooks, [...handled, ...dead], queues);
  for (const error of errors) console.error(error);
  if (problems.length > 0) console.error(report.problemLines(problems));
  if (problems.length + errors.length > 0) {
    console.log(report.paint('red', `NOT OK: ${problems.length + errors.length} problems.`));
    return 1;
  }
  console.log(
    `${report.paint('green', 'OK')}: each of ${webhooks.length} webhooks came out of every queue ` +
      'that its key matches, once and byte for byte:\n' +
      `${handled.length} handled and ${dead.length} dead letters in ${report.seconds(elapsed)}.`,
  );
  return 0;
}

const { values } = parseArgs({ options: { dir: { type: 'string' }, times: { type: 'string' } } });
const times = Number(values.times ?? 1);
if (!Number.isInteger(times) || times < 1) {
  console.error(`--times is '${values.times}'; it must be a whole number from 1 on.`);
  process.exit(2);
}
// npm starts scripts in the folder of their package, and says here where it was itself started.
const { INIT_CWD = '.' } = process.env;
const storage =
  values.dir === undefined
    ? join(import.meta.dirname, '../wherry-data/github-webhooks')
    : resolve(INIT_CWD, values.dir);
process.exitCode = await main(storage, times);
