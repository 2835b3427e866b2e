import type { FastifyReply } from 'fastify';
import { PassThrough } from 'node:stream';
import type { RedriveOptions, RedriveResult } from 'wherry';
import * as z from 'zod';
import { NDJSON_TYPE } from '../../../protocols/http/ndjson.ts';
import { problemOf } from '../../../protocols/http/problem.ts';
import {
  DeadLetterGroups,
  type RedriveInput,
  deadLettersQuery,
  purgeDeadLettersSchema,
  redriveSchema,
  redrivenSchema,
  summarySchema,
} from '../../../protocols/http/schemas/dead-letters.ts';
import { storedMessagesSchema } from '../../../protocols/http/schemas/message.ts';
import { checkBatch } from '../batch-limit.ts';
import { countFitting } from '../fitting.ts';
import { goneSignal } from '../client-gone.ts';
import { fittingPage } from '../page.ts';
import { requireUnlocked } from '../locked-queues.ts';
import { type Call, defineRoute, type Route } from '../route.ts';

const COMMON = {
  scope: 'vhost',
  tag: 'dead letters',
  rule: { kind: 'handler', why: 'the dead-letter queue is named in the query or the body' },
} as const;

/** Dead letters of each queue that a summary looks at. */
const SUMMARY_MAX = 10_000;
const SUMMARY_PAGE = 200;

export const deadLetterRoutes: readonly Route[] = [
  defineRoute({
    ...COMMON,
    id: 'listDeadLetters',
    method: 'GET',
    url: '/dead-letters',
    summary: 'A page of dead letters, the parked ones last',
    query: deadLettersQuery,
    responses: { 200: storedMessagesSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: (call) => {
      const { mq, query } = call;
      const { queue = mq.deadLetterQueue.queueName } = query;
      call.require('read', queue);
      requireUnlocked(mq, call.identity, queue);
      return fittingPage(call, queue, query, (asked) => mq.deadLetterQueue.list(queue, asked));
    },
  }),
  defineRoute({
    ...COMMON,
    id: 'summarizeDeadLetters',
    method: 'GET',
    url: '/dead-letters/summary',
    summary: 'Dead letters by where and of what they died',
    description: `Of the dead-letter queues that the caller may read. Looks at the first ${SUMMARY_MAX} of each.`,
    responses: { 200: summarySchema },
    handler: (call) => summarize(call),
  }),
  defineRoute({
    ...COMMON,
    id: 'redriveDeadLetters',
    method: 'POST',
    url: '/dead-letters/redrive',
    summary: 'Send dead letters back',
    description:
      `With \`Accept: ${NDJSON_TYPE}\` each line tells the progress; the last one has \`done\`. It ends ` +
      'when the client goes.',
    body: redriveSchema.prefault({}),
    responses: { 200: redrivenSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: (call) => redrive(call),
  }),
  defineRoute({
    ...COMMON,
    id: 'purgeDeadLetters',
    method: 'POST',
    url: '/dead-letters/purge',
    summary: 'Throw dead letters away',
    body: purgeDeadLettersSchema.prefault({}),
    responses: { 200: z.strictObject({ purged: z.int() }) },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async ({ mq, body, identity, require }) => {
      const queue = body.queue ?? mq.deadLetterQueue.queueName;
      require('configure', queue);
      requireUnlocked(mq, identity, queue);
      return { purged: await mq.deadLetterQueue.purge(queue) };
    },
  }),
];

async function summarize({ mq, allows, services: { limits } }: Call): Promise<unknown> {
  const named = mq.listQueues().map((queue) => queue.settings.deadLetterQueue);
  const present = new Set(mq.listQueues().map((queue) => queue.name));
  const queues = [...new Set([mq.deadLetterQueue.queueName, ...named])].filter(
    (queue): queue is string => queue !== null && present.has(queue) && allows('read', queue),
  );
  const groups = new DeadLetterGroups();
  let complete = true;
  for (const queue of queues) {
    let cursor: string | null = null;
    let seen = 0;
    do {
      const limit = await countFitting(mq, queue, SUMMARY_PAGE, limits.bodyBytes);
      const options: { limit: number; cursor?: string } = { limit };
      if (cursor !== null) options.cursor = cursor;
      const page = await mq.deadLetterQueue.list(queue, options);
      for (const message of page.messages) groups.add(queue, message);
      seen += page.messages.length;
      cursor = page.cursor;
    } while (cursor !== null && seen < SUMMARY_MAX);
    complete &&= cursor === null;
  }
  return { groups: groups.list(), complete };
}

async function redrive(call: Call<unknown, unknown, RedriveInput>): Promise<unknown> {
  const { mq, body, reply, request, services } = call;
  const { from = mq.deadLetterQueue.queueName, to, queue: diedIn, ...rest } = body;
  checkBatch(rest.ids?.length ?? 0, 'body.ids', services);
  call.require('configure', from);
  requireUnlocked(mq, call.identity, from);
  // Without a word about where they go, they may go anywhere.
  call.require('write', to ?? diedIn ?? '*');
  mq.getQueue(from);
  if (to !== undefined) mq.getQueue(to);
  const { signal, release } = goneSignal(reply, services.closing);
  const options = definedOf({ from, to, diedIn, ...rest, signal });
  if (request.headers.accept?.includes(NDJSON_TYPE) !== true) {
    return mq.deadLetterQueue.redrive(options).finally(release);
  }
  const progress = new PassThrough();
  mq.deadLetterQueue
    .redrive({ ...options, onProgress: (now) => tell(progress, { ...now, done: false }) })
    .then((result) => tell(progress, { ...result, done: true }))
    .catch((error: unknown) => tell(progress, { error: problemOf(error, request.id).problem }))
    .finally(() => {
      release();
      progress.end();
    });
  return sendLines(reply, progress);
}

function sendLines(reply: FastifyReply, lines: PassThrough): FastifyReply {
  return reply.type(NDJSON_TYPE).send(lines);
}

/** A reader who is slow misses steps in between. */
function tell(progress: PassThrough, line: (RedriveResult & { done: boolean }) | object): void {
  if (progress.writableNeedDrain && 'done' in line && !line.done) return;
  progress.write(`${JSON.stringify(line)}\n`);
}

function definedOf(options: { [Name in keyof RedriveOptions]: RedriveOptions[Name] | undefined }) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as RedriveOptions;
}
