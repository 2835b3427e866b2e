import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import type { Message } from 'wherry';
import { RequestTimeoutError, UnsupportedMediaTypeError } from '../../../protocols/http/errors.ts';
import { parseJson } from '../../../protocols/http/json.ts';
import { parse } from '../../../protocols/http/mistakes.ts';
import { LineSplitter, NDJSON_TYPE } from '../../../protocols/http/ndjson.ts';
import { type Problem, problemOf } from '../../../protocols/http/problem.ts';
import { queueParams } from '../../../protocols/http/schemas/common.ts';
import { messageSchema, toMessage } from '../../../protocols/http/schemas/message.ts';
import { resultsBody } from '../../../protocols/http/schemas/send.ts';
import { refuseIfAlarmed } from '../alarmed.ts';
import { goneSignal } from '../client-gone.ts';
import { type Call, defineRoute, type Route } from '../route.ts';
import { countStoreError, IDEMPOTENCY, withIdempotencyKey } from './send.ts';

type StreamCall = Call<{ readonly queue: string }>;
type Line = Message | { readonly problem: Problem };

/** Lines that are stored in one go: more would only wait for each other. */
const TOGETHER_MAX = 1_000;

export const streamRoutes: readonly Route[] = [
  defineRoute({
    id: 'streamMessages',
    method: 'POST',
    url: '/queues/:queue/messages/stream',
    scope: 'vhost',
    tag: 'messages',
    summary: 'Send a stream of messages of any length',
    description:
      'Newline-delimited JSON: one message a line in, one result a line out, in the same order. The ' +
      'broker reads on when what it has read is stored, and when its results are read. A line that is ' +
      'no message is answered with a problem, and the stream goes on.',
    rule: { kind: 'resource', action: 'write', of: 'queue', param: 'queue' },
    takesMessages: true,
    headers: IDEMPOTENCY,
    params: queueParams,
    rawBody: 'stream',
    rawMediaTypes: [NDJSON_TYPE],
    responses: { 200: { mediaType: NDJSON_TYPE } },
    problems: ['QUEUE_NOT_FOUND'],
    handler: (call: StreamCall) => {
      const { body, mq, params, reply, request, services } = call;
      if (!(body instanceof Readable) || !isNdjson(request.headers['content-type'])) {
        throw new UnsupportedMediaTypeError(`Send the messages as ${NDJSON_TYPE}, one a line.`);
      }
      mq.getQueue(params.queue);
      services.bytes.check();
      endConnection(reply, services.limits.requestTimeoutMs);
      return reply.type(NDJSON_TYPE).send(Readable.from(results(call, body)));
    },
  }),
];

function isNdjson(contentType: string | undefined): boolean {
  return /^application\/(?:x-)?(?:ndjson|jsonl)\b/i.test(contentType ?? '');
}

/**
 * A client that neither sends nor reads holds a connection, and nothing else, for so long; one
 * whose stream was given up cannot use the connection for anything else.
 */
function endConnection({ raw, request }: FastifyReply, idleMs: number): void {
  const { socket } = raw;
  const destroy = (): void => void socket?.destroy();
  socket?.setTimeout(idleMs, destroy);
  raw.once('close', () => {
    socket?.setTimeout(0).off('timeout', destroy);
    if (!request.raw.complete) socket?.destroySoon();
  });
}

/** One text for each chunk that came; the next is read when the text was taken. */
async function* results(call: StreamCall, body: Readable): AsyncGenerator<string> {
  const { services, reply } = call;
  const { bytes, limits } = services;
  const lines = new LineSplitter(limits.bodyBytes);
  const { signal, release } = goneSignal(reply, services.closing);
  let held = 0;
  let sent = 0;
  const holdOnly = (amount: number): void => {
    if (amount > held) bytes.hold(amount - held);
    else bytes.release(held - amount);
    held = amount;
  };
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      holdOnly(lines.kept + chunk.length);
      const ready = lines.push(chunk);
      for (let i = 0; i < ready.length; i += TOGETHER_MAX) {
        yield await store(call, ready.slice(i, i + TOGETHER_MAX), sent + i, signal);
      }
      sent += ready.length;
      holdOnly(lines.kept);
    }
    const last = lines.finish();
    if (last.length > 0) yield await store(call, last, sent, signal);
  } catch (error) {
    // The status was told long ago: the last line says why there are no more.
    yield lineOf(problemOf(cutOff(error, limits.requestTimeoutMs), call.request.id).problem);
  } finally {
    holdOnly(0);
    release();
  }
}

function cutOff(error: unknown, ms: number): unknown {
  return (error as { code?: unknown }).code === 'ECONNRESET' ? new RequestTimeoutError(ms) : error;
}

async function store(
  call: StreamCall,
  lines: readonly Buffer[],
  first: number,
  signal: AbortSignal,
): Promise<string> {
  const { mq, params, request, broker } = call;
  // It may have begun long before the alarm.
  refuseIfAlarmed(broker);
  const queue = mq.getQueue(params.queue);
  const { deduplicationWindow } = queue.settings;
  const read = lines.map((line, i) => readLine(line, first + i));
  const good = read.filter((line): line is Message => !('problem' in line));
  const positions = read.flatMap((line, i) => ('problem' in line ? [] : [first + i]));
  const keyed = good.map(
    (message, i) =>
      withIdempotencyKey([message], request.headers, deduplicationWindow, positions[i])[0]!,
  );
  const sent = await mq.sendBatch(queue, keyed, { signal });
  countStoreError(call, sent);
  const answers = resultsBody(sent);
  let next = 0;
  return read
    .map((line) =>
      'problem' in line ? lineOf(line.problem) : `${JSON.stringify(answers[next++])}\n`,
    )
    .join('');
}

function readLine(line: Buffer, index: number): Line {
  const where = `line[${index}]`;
  try {
    return toMessage(parse(messageSchema, parseJson(line, where), where), where);
  } catch (error) {
    return { problem: problemOf(error).problem };
  }
}

function lineOf(error: Problem): string {
  return `${JSON.stringify({ ok: false, error })}\n`;
}
