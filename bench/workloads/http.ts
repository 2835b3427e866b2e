import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import { DeliveryCheck, InvalidRunError } from '../harness/delivery-check.ts';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { quantile } from '../harness/statistics.ts';
import { ServerProcess } from './broker.ts';
import { HttpClient } from './http-client.ts';
import { inLanes, rateOf } from './lanes.ts';
import { FIRST_NUMBER, type Payload, payloadsOf } from './payload.ts';

const QUEUE = '/api/v1/queues/bench';
const BATCH = 500;
/** Batches, or long polls, that are outstanding together. */
const BATCHES = 4;
/** Single sends that are outstanding together, each on a connection of its own. */
const SINGLES = 64;
const LONG_POLLS = 1_000;

interface Load {
  readonly bytes: number;
  readonly singles: number;
  readonly batches: number;
  /** One by one, each when the one before was answered. */
  readonly lone: number;
}

const FULL: Load = { bytes: 100, singles: 20_000, batches: 400, lone: 2_000 };
const QUICK: Load = { bytes: 100, singles: 200, batches: 4, lone: 20 };

interface Received {
  readonly messages: readonly { readonly receipt: string; readonly payload: Payload }[];
}
interface Results {
  readonly results: readonly { readonly ok: boolean }[];
}

/**
 * A broker on a store on disk and a client that speaks HTTP, on the same machine: sends one by one
 * and in batches, then receives and acknowledges in batches.
 * @returns messages per second of each, quantiles of a lone send, the broker's processor time for a
 *   message that goes in and out in batches
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureHttp(context: RunContext): Promise<Figures> {
  const load = context.isQuick ? QUICK : FULL;
  await using broker = await ServerProcess.start(
    './broker-process.ts',
    join(context.folder, 'store'),
  );
  using client = new HttpClient(broker.url, SINGLES);
  await client.call('PUT', QUEUE);
  const payloadOf = payloadsOf(load.bytes);
  let next = FIRST_NUMBER;
  const sendBatch = async (): Promise<void> => {
    const messages = Array.from({ length: BATCH }, () => ({ payload: payloadOf(next++) }));
    const { results } = await client.call<Results>('POST', `${QUEUE}/messages/batch`, { messages });
    if (results.some(({ ok }) => !ok)) throw new InvalidRunError('A message was refused.');
  };
  const sendOne = () => client.call('POST', `${QUEUE}/messages`, { payload: payloadOf(next++) });

  // For the compiler.
  await inLanes(Math.ceil(load.batches / 5), BATCHES, sendBatch);
  await inLanes(load.lone, SINGLES, sendOne);
  await drain(client, FIRST_NUMBER, next - FIRST_NUMBER);

  const latencies: number[] = [];
  let first = next;
  await inLanes(load.lone, 1, async () => {
    const begun = performance.now();
    await sendOne();
    latencies.push(performance.now() - begun);
  });
  const single = await rateOf(load.singles, () => inLanes(load.singles, SINGLES, sendOne));
  await drain(client, first, next - first);

  first = next;
  const messages = load.batches * BATCH;
  const before = broker.cpuMs();
  const send = await rateOf(messages, () => inLanes(load.batches, BATCHES, sendBatch));
  const consume = await rateOf(messages, () => drain(client, first, messages));
  const cpu = ((broker.cpuMs() - before) * 1_000) / messages;
  return {
    single,
    send,
    consume,
    cpu,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

/** Receives and acknowledges messages until so many have come. @throws InvalidRunError */
async function drain(client: HttpClient, first: number, count: number): Promise<void> {
  const check = new DeliveryCheck(first, count);
  const lane = async (): Promise<void> => {
    while (!check.isComplete) {
      const { messages } = await client.call<Received>('POST', `${QUEUE}/receive`, { max: BATCH });
      if (messages.length === 0) return;
      for (const { payload } of messages) check.mark(payload.number);
      const receipts = messages.map(({ receipt }) => receipt);
      const { results } = await client.call<Results>('POST', `${QUEUE}/acknowledge`, { receipts });
      if (results.some(({ ok }) => !ok)) throw new InvalidRunError('A lease was lost.');
    }
  };
  await Promise.all(Array.from({ length: BATCHES }, lane));
  check.verify();
}

/** The same requests to a server that keeps nothing. @returns requests and messages per second */
export async function measureBareHttp({ isQuick }: RunContext): Promise<Figures> {
  const load = isQuick ? QUICK : FULL;
  await using server = await ServerProcess.start('./bare-http-process.ts');
  using client = new HttpClient(server.url, SINGLES);
  const payloadOf = payloadsOf(load.bytes);
  let next = FIRST_NUMBER;
  const messages = () => Array.from({ length: BATCH }, () => ({ payload: payloadOf(next++) }));
  const sendBatch = () => client.call('POST', '/batch', { messages: messages() });
  const sendOne = () => client.call('POST', '/one', { payload: payloadOf(next++) });
  await inLanes(Math.ceil(load.batches / 5), BATCHES, sendBatch);
  await inLanes(load.lone, SINGLES, sendOne);
  return {
    single: await rateOf(load.singles, () => inLanes(load.singles, SINGLES, sendOne)),
    send: await rateOf(load.batches * BATCH, () => inLanes(load.batches, BATCHES, sendBatch)),
  };
}

/**
 * Long polls on a queue where nothing comes; then something comes for each.
 * @returns the broker's processor time meanwhile, as a share of one core
 */
export async function measureIdlePolls({ folder, isQuick }: RunContext): Promise<Figures> {
  const polls = isQuick ? 20 : LONG_POLLS;
  await using broker = await ServerProcess.start('./broker-process.ts', join(folder, 'store'));
  using client = new HttpClient(broker.url, polls + 1);
  await client.call('PUT', QUEUE);
  const check = new DeliveryCheck(FIRST_NUMBER, polls);
  const wait = isQuick ? '10s' : '60s';
  const poll = async (): Promise<void> => {
    const { messages } = await client.call<Received>('POST', `${QUEUE}/receive`, { wait });
    for (const { payload } of messages) check.mark(payload.number);
  };
  const polled = Promise.all(Array.from({ length: polls }, poll));
  await setTimeout(isQuick ? 200 : 5_000);
  const before = broker.cpuMs();
  const start = performance.now();
  await setTimeout(isQuick ? 200 : 20_000);
  const idle = (broker.cpuMs() - before) / (performance.now() - start);
  const payloadOf = payloadsOf(100);
  const messages = Array.from({ length: polls }, (_, index) => ({
    payload: payloadOf(FIRST_NUMBER + index),
  }));
  await client.call('POST', `${QUEUE}/messages/batch`, { messages });
  await polled;
  check.verify();
  return { idle };
}
