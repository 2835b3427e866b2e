import type { SweepResult } from '../../core/driver.ts';
import { LEASE_AFTER_TTL } from './layout.ts';
import { type Leased, readLeased } from './leased.ts';
import { MessageReader } from './record.ts';
import { type News, type RedisStore, tellNews } from './store.ts';

type Swept = SweepResult['messages'][number];

type SweptQueue = readonly [
  queueNumber: number,
  name: Buffer,
  firstToken: number,
  until: number,
  messages: Leased,
  /** Of each message, LEASE_AFTER_LEASE or LEASE_AFTER_TTL. */
  causes: readonly number[],
];
type Reply = readonly [news: News, nextIn: number, queues: readonly SweptQueue[]];

const SWEEPER_ID = '#sweeper';
const SWEEPER_LEASE_MS = 30_000;

/** Leases what expired, in the queues that the store's index says are due. */
export function sweep(store: RedisStore, max: number): Promise<SweepResult> {
  return run(store, [], max);
}

/** The same for one queue, where there is no such index: in a cluster. */
export function sweepQueue(
  store: RedisStore,
  queueNumber: number,
  max: number,
): Promise<SweepResult> {
  return run(store, [queueNumber], max);
}

async function run(
  store: RedisStore,
  queueNumbers: readonly number[],
  max: number,
): Promise<SweepResult> {
  const args = [max, SWEEPER_ID, SWEEPER_LEASE_MS];
  const [news, nextIn, queues] = (await store.run('sweep', queueNumbers, args)) as Reply;
  tellNews(store, news);
  return {
    messages: queues.flatMap((queue) => sweptOf(store, queue)),
    nextIn: nextIn < 0 ? null : nextIn,
  };
}

function sweptOf(
  store: RedisStore,
  [queueNumber, name, firstToken, until, leased, causes]: SweptQueue,
): Swept[] {
  const reader = new MessageReader(name.toString(), queueNumber, store.salt);
  const first = { consumerId: SWEEPER_ID, token: firstToken, until };
  const isLost = (index: number): boolean => causes[index] !== LEASE_AFTER_TTL;
  return readLeased(reader, leased, first, isLost).map((message, index) => ({
    ...message,
    cause: isLost(index) ? 'lease-expired' : 'expired',
    queue: queueNumber,
  }));
}
