import { randomBytes } from 'node:crypto';
import { MessageQueueError } from '../core/errors.ts';
import type { MessageQueueSystem } from '../index.ts';

/** What one kind of work came to. */
export interface BenchPhase {
  readonly name: string;
  readonly messages: number;
  readonly perSecond: number;
  /** From the call, or for a consumer from the handler's end, until it was durable: half of them. */
  readonly p50Ms: number;
  /** 99 of 100. */
  readonly p99Ms: number;
}

export interface BenchOptions {
  readonly messages: number;
  /** Size of a payload's JSON. */
  readonly bytes: number;
  readonly signal: AbortSignal;
  readonly onPhase: (name: string) => void;
}

/** One at a time waits for the disk at each: fewer of them tell as much. */
const LONE_SENDS_MAX = 1_000;
const OUTSTANDING = 1_000;

/**
 * Sends and consumes on a queue of its own, which is deleted afterwards whatever happens.
 * @throws MessageQueueError when not exactly what was sent came back
 */
export async function measure(
  mq: MessageQueueSystem,
  options: BenchOptions,
): Promise<BenchPhase[]> {
  const { messages, signal, onPhase } = options;
  const queue = `wherry-bench-${randomBytes(6).toString('hex')}`;
  const payload = { text: 'x'.repeat(Math.max(0, options.bytes - '{"text":""}'.length)) };
  const send = async (): Promise<void> => {
    signal.throwIfAborted();
    await mq.sendMessage(queue, { payload });
  };
  await mq.createQueue({ name: queue });
  try {
    const lone = Math.min(messages, LONE_SENDS_MAX);
    onPhase('send, one at a time');
    const alone = await timed('send, one at a time', lone, 1, send);
    await mq.purgeQueue(queue);
    const outstanding = `send, ${OUTSTANDING.toLocaleString('en-US')} outstanding`;
    onPhase(outstanding);
    const together = await timed(outstanding, messages, OUTSTANDING, send);
    onPhase('consume');
    const consumed = await consumeAll(mq, queue, messages, signal);
    return [alone, together, consumed];
  } finally {
    await mq.deleteQueue(queue, { force: true });
  }
}

async function timed(
  name: string,
  messages: number,
  outstanding: number,
  work: () => Promise<void>,
): Promise<BenchPhase> {
  const latencies: number[] = [];
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < messages) {
      begun++;
      const start = performance.now();
      await work();
      latencies.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: Math.min(outstanding, messages) }, lane));
  return phase(name, latencies, performance.now() - start);
}

async function consumeAll(
  mq: MessageQueueSystem,
  queue: string,
  messages: number,
  signal: AbortSignal,
): Promise<BenchPhase> {
  const begun = new Map<string, number>();
  const latencies: number[] = [];
  const ended = new AbortController();
  mq.events.on('acknowledged', ({ id }) => {
    latencies.push(performance.now() - (begun.get(id) ?? 0));
    if (latencies.length === messages) ended.abort();
  });
  const start = performance.now();
  const consumer = await mq.createConsumer({
    id: queue,
    queueName: queue,
    batchSize: OUTSTANDING,
    concurrency: OUTSTANDING,
    handler: ({ id }) => {
      begun.set(id, performance.now());
    },
  });
  await aborted(AbortSignal.any([ended.signal, signal]));
  const elapsed = performance.now() - start;
  await consumer.stop();
  signal.throwIfAborted();
  if (begun.size !== messages) {
    const what = `${begun.size} different messages came, ${messages} were sent.`;
    throw new MessageQueueError('BENCH_INVALID', `The measurement is void: ${what}`);
  }
  return phase('consume', latencies, elapsed);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) resolve();
  });
}

function phase(name: string, latencies: number[], elapsedMs: number): BenchPhase {
  const sorted = Float64Array.from(latencies).toSorted();
  const quantile = (share: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return Math.round(value * 100) / 100;
  };
  return {
    name,
    messages: latencies.length,
    perSecond: Math.round((latencies.length / elapsedMs) * 1_000),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}
