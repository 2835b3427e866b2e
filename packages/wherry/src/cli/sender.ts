import { MessageQueueError, StorageError } from '../core/errors.ts';
import type { MessageQueueSystem } from '../index.ts';
import { UnroutableError } from './errors.ts';
import type { Line } from './lines.ts';
import type { Addressed } from './message-line.ts';

/** Where messages go: to a queue, or through an exchange. */
export type Destination =
  | { readonly queue: string }
  | { readonly exchange: string; readonly routingKey: string };

/** What became of one message. */
export type Sent =
  | { readonly id: string; readonly queues: readonly string[]; readonly duplicate: boolean }
  | { readonly error: MessageQueueError };

/** Sends messages together and answers for each. @throws StorageError when the store itself failed */
export async function sendAll(
  mq: MessageQueueSystem,
  destination: Destination,
  messages: readonly Addressed[],
  signal: AbortSignal,
): Promise<Sent[]> {
  const sent =
    'queue' in destination
      ? await sendToQueue(mq, destination.queue, messages, signal)
      : await publishAll(mq, destination, messages, signal);
  for (const result of sent) {
    // Every further message would meet the same failure.
    if ('error' in result && result.error instanceof StorageError) throw result.error;
  }
  return sent;
}

async function sendToQueue(
  mq: MessageQueueSystem,
  queue: string,
  addressed: readonly Addressed[],
  signal: AbortSignal,
): Promise<Sent[]> {
  const messages = addressed.map(({ message }) => message);
  const results = await mq.sendBatch(queue, messages, { signal });
  return results.map((result) => (result.ok ? { ...result, queues: [queue] } : result));
}

async function publishAll(
  mq: MessageQueueSystem,
  { exchange, routingKey }: { exchange: string; routingKey: string },
  addressed: readonly Addressed[],
  signal: AbortSignal,
): Promise<Sent[]> {
  const items = addressed.map((item) => ({
    exchange,
    routingKey: item.routingKey ?? routingKey,
    message: item.message,
  }));
  const results = await mq.publishBatch(items, { signal });
  return results.map((result, at) => {
    if (!result.ok) return result;
    const { id, queues, duplicate } = result.result;
    if (id !== null) return { id, queues, duplicate };
    return { error: new UnroutableError(exchange, items[at]?.routingKey ?? routingKey) };
  });
}

/** What became of an input line. */
export interface LineResult {
  readonly line: number;
  readonly sent: Sent;
}

/** Most bytes of an input line: the default limit of a payload, and as much for JSON around it. */
export const LINE_BYTES_MAX: number = 32 * 1024 * 1024;

/** Most messages of one call, and most calls under way: they bound what memory holds of the input. */
const BATCH_MAX = 1_000;
const CALLS_MAX = 8;

/**
 * Sends an input line by line. A line that cannot be sent is reported and the rest goes on.
 * @param parse reads a line; the MessageQueueError it throws is the line's result
 * @throws what ended the work early, the store's failure or the input's, after all that was under
 *   way was finished and reported
 */
export async function sendLines(
  batches: AsyncIterable<readonly Line[]>,
  parse: (bytes: Uint8Array) => Addressed,
  send: (messages: readonly Addressed[]) => Promise<readonly Sent[]>,
  report: (results: readonly LineResult[]) => Promise<void>,
): Promise<void> {
  const calls = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const start = (lines: readonly Line[]): void => {
    const call = sendParsed(lines, parse, send, report)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => calls.delete(call));
    calls.add(call);
  };
  try {
    for await (const lines of batches) {
      for (let at = 0; at < lines.length && failures.length === 0; at += BATCH_MAX) {
        start(lines.slice(at, at + BATCH_MAX));
        if (calls.size >= CALLS_MAX) await Promise.race(calls);
      }
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(calls);
  }
  if (failures.length > 0) throw failures[0];
}

async function sendParsed(
  lines: readonly Line[],
  parse: (bytes: Uint8Array) => Addressed,
  send: (messages: readonly Addressed[]) => Promise<readonly Sent[]>,
  report: (results: readonly LineResult[]) => Promise<void>,
): Promise<void> {
  const parsed = lines.map(({ number, bytes }) => ({ line: number, item: tryParse(bytes, parse) }));
  const good = parsed.flatMap(({ line, item }) => ('message' in item ? [{ line, item }] : []));
  const sent = good.length === 0 ? [] : await send(good.map(({ item }) => item));
  const results = new Map(good.map(({ line }, at) => [line, sent[at]]));
  await report(
    parsed.flatMap(({ line, item }) => {
      const result = 'error' in item ? item : results.get(line);
      return result === undefined ? [] : [{ line, sent: result }];
    }),
  );
}

function tryParse(
  bytes: Uint8Array | null,
  parse: (bytes: Uint8Array) => Addressed,
): Addressed | { readonly error: MessageQueueError } {
  if (bytes === null) return { error: new LineTooLongError() };
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof MessageQueueError) return { error };
    throw error;
  }
}

class LineTooLongError extends MessageQueueError {
  constructor() {
    super(
      'LINE_TOO_LONG',
      `It is longer than ${LINE_BYTES_MAX} bytes. Send it by itself, with --bytes.`,
    );
  }
}
