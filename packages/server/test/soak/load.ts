import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem } from 'wherry';
import type { Ledger } from './ledger.ts';

export const QUEUE = 'soak';
const PATH = `/api/v1/queues/${QUEUE}`;
/** An answer that takes longer is given up: the broker may be stopped or gone. */
const PATIENCE_MS = 8_000;
const PAUSE_MS = 200;

/** Where the broker is, and until when to work. */
export interface Work {
  readonly url: string;
  readonly ledger: Ledger;
  /** No more is sent. */
  readonly sending: AbortSignal;
  /** No more is received. */
  readonly receiving: AbortSignal;
  /** Milliseconds between two calls of one lane. */
  readonly pause: number;
  /** Milliseconds. */
  readonly leaseDuration: number;
  readonly random: () => number;
}

interface ReceivedMessage {
  readonly receipt: string;
  readonly payload: number;
  readonly lease: { readonly until: number };
}
interface Received {
  readonly messages: readonly ReceivedMessage[];
}
interface Results {
  readonly results: readonly { readonly ok: boolean }[];
}

/** @throws Error when the answer is no success, or does not come */
export async function call<Answer>(
  url: string,
  path: string,
  body: unknown,
  options: { readonly method?: string; readonly key?: string } = {},
): Promise<Answer> {
  const { method = 'POST', key } = options;
  const response = await fetch(url + path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
  return JSON.parse(text) as Answer;
}

/** Sends batches over HTTP; what was not confirmed is sent again under the same key. */
export async function produce({ url, ledger, sending, pause, random }: Work): Promise<void> {
  while (!sending.aborted) {
    const count = random() < 0.5 ? 1 : 1 + Math.floor(random() * 50);
    const numbers = Array.from({ length: count }, () => ledger.newMessage());
    const messages = numbers.map((payload) => ({ payload }));
    const send = () =>
      call<Results>(url, `${PATH}/messages/batch`, { messages }, { key: `soak-${numbers[0]}` });
    let answer: Results | null = null;
    while (answer === null && !sending.aborted) {
      answer = await send().catch(async () => {
        await sleep(PAUSE_MS);
        return null;
      });
    }
    if (answer === null) return;
    ledger.confirm(numbers.filter((_, i) => answer.results[i]!.ok));
    await sleep(pause);
  }
}

/** Receives over HTTP; most messages are acknowledged, some fail or are left to their lease. */
export async function consume(work: Work): Promise<void> {
  const { url, ledger, receiving, leaseDuration, random } = work;
  while (!receiving.aborted) {
    const asked = { max: 50, wait: '1s', leaseDuration };
    const received = await call<Received>(url, `${PATH}/receive`, asked).catch(() => null);
    if (received === null) {
      await sleep(PAUSE_MS);
      continue;
    }
    for (const { payload, lease } of received.messages) ledger.deliver(payload, lease.until);
    const fates = received.messages.map((message) => ({ message, draw: random() }));
    const done = fates.filter(({ draw }) => draw >= 0.03).map(({ message }) => message);
    const failed = fates.filter(({ draw }) => draw < 0.02).map(({ message }) => message);
    await acknowledge(url, ledger, done);
    if (failed.length === 0) continue;
    const items = failed.map(({ receipt }) => ({ receipt, reason: 'bad luck', delay: 100 }));
    await call(url, `${PATH}/reject`, { items }).catch(() => {});
  }
}

async function acknowledge(
  url: string,
  ledger: Ledger,
  messages: readonly ReceivedMessage[],
): Promise<void> {
  if (messages.length === 0) return;
  const receipts = messages.map(({ receipt }) => receipt);
  try {
    const { results } = await call<Results>(url, `${PATH}/acknowledge`, { receipts });
    results.forEach(({ ok }, i) => {
      const { payload, lease } = messages[i]!;
      if (ok) ledger.acknowledge(payload, lease.until);
    });
  } catch {
    ledger.doubt(messages.map(({ payload }) => payload));
  }
}

/** Sends and handles over the remote driver, as a program does that has only changed its URL. */
export async function workRemotely(work: Work): Promise<void> {
  const { url, ledger, sending, receiving, pause, leaseDuration, random } = work;
  const mq = await MessageQueueSystem.open({ storage: url });
  await mq.createConsumer<number>({
    id: 'remote',
    queueName: QUEUE,
    leaseDuration,
    concurrency: 20,
    handler: async (delivery) => {
      const { until } = delivery.lease;
      ledger.deliver(delivery.payload, until);
      if (random() < 0.02) throw new Error('bad luck');
      try {
        await delivery.acknowledge();
        ledger.acknowledge(delivery.payload, until);
      } catch {
        ledger.doubt([delivery.payload]);
      }
    },
  });
  while (!sending.aborted) {
    const number = ledger.newMessage();
    // What is not confirmed may be there all the same. Without the id, one that a broker stores, is killed
    // before it says so, and hands out when it is back, could be stored a second time.
    const message = { payload: number, deduplicationId: `remote-${number}` };
    await mq.sendMessage(QUEUE, message).then(
      () => ledger.confirm([number]),
      () => {},
    );
    await sleep(pause);
  }
  while (!receiving.aborted) await sleep(PAUSE_MS);
  await mq.close({ deadline: '5s' });
}
