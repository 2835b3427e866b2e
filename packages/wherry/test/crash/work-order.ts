import {
  type Driver,
  MessageQueueError,
  MessageQueueSystem,
  SystemClock,
} from '../../src/index.ts';
import { monotonicNow, type SendInvoked } from './history.ts';
import { makePlan, PURGED } from './plan.ts';
import { plantBug } from './planted-bugs.ts';
import { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import { audit } from './workload/audit.ts';
import { Consumers } from './workload/consumers.ts';
import { Deliveries } from './workload/deliveries.ts';
import { drain } from './workload/drain.ts';
import { Gate } from './workload/gate.ts';
import { Handlers } from './workload/handlers.ts';
import { keepHouse } from './workload/housekeeping.ts';
import { Producer } from './workload/producers.ts';
import { Sends } from './workload/sends.ts';
import { watchSettlements } from './workload/settlement-watch.ts';

/** What the supervisor asks of one process. */
export interface WorkOrder {
  readonly process: number;
  /** The folder of the store, or the URL of one that several processes work on at the same time. */
  readonly store: string;
  readonly seed: number;
  readonly mode: 'work' | 'drain';
  readonly bug: string | null;
  readonly inDoubt: readonly SendInvoked[];
  readonly isPoisoner: boolean;
  /** Milliseconds until it closes the store in peace; null: it waits to be killed, or told. */
  readonly closeAfter: number | null;
  /** Milliseconds that a drain may take. */
  readonly drainMs: number;
}

/**
 * How hard the processes work: alone, as fast as they can; several at once so that they have the
 * machine to themselves for a part of the time only, for there they mostly wait for what was done
 * to the servers to be over.
 */
const PACES = {
  alone: { producers: 5, pause: null, leaseDuration: 8_000, waitMs: 40, stayMs: 300 },
  together: {
    producers: 2,
    pause: { min: 30, max: 120 },
    // Those who are killed or held up shall not hold up the others for long.
    leaseDuration: 1_000,
    waitMs: 400,
    stayMs: 1_200,
  },
} as const;

/** Of several answers the one that came fastest tells a server's time best. */
const CLOCK_LOOKS = 10;

/**
 * Opens the store, works or drains as ordered, and closes it, if it is not killed before.
 * @param stop tells it to close the store in peace
 */
export async function carryOut(
  order: WorkOrder,
  recorder: Recorder,
  stop: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { process: number, seed, store } = order;
  recorder.record({ op: 'open', phase: 'invoke' });
  const clock = new SystemClock();
  const driver = await driverOf(store, clock);
  const maybeBuggy = order.bug === null ? driver : plantBug(order.bug, driver);
  let deliveries: Deliveries | null = null;
  const storage = watchSettlements(maybeBuggy, () => deliveries);
  const { queues, exchanges, bindings } = makePlan(seed);
  const mq = await MessageQueueSystem.open({ storage, clock, queues, exchanges, bindings });
  const clockOffset = await offsetOf(driver);
  recorder.record({ op: 'open', phase: 'ok', clockOffset, shared: isUrl(store) });
  mq.events.on('consumerError', ({ error }) => {
    if (!(error instanceof MessageQueueError)) throw error;
  });
  const isAlone = !isUrl(store) || order.mode === 'drain';
  if (isAlone) recorder.record(await audit(mq));
  const random = new Random(seed * 1_000 + number);
  deliveries = new Deliveries(mq, recorder);
  if (order.mode === 'drain') await drain(mq, recorder, deliveries, random, order.drainMs);
  else await work(order, { mq, recorder, deliveries, random, stop });
  recorder.record({ op: 'close', phase: 'invoke' });
  await mq.close();
  recorder.record({ op: 'close', phase: 'ok' });
}

interface WorkParts {
  readonly mq: MessageQueueSystem;
  readonly recorder: Recorder;
  readonly deliveries: Deliveries;
  readonly random: Random;
  readonly stop: AbortSignal;
}

async function work(order: WorkOrder, parts: WorkParts): Promise<void> {
  const { mq, recorder, deliveries, random } = parts;
  const gate = new Gate();
  const isShared = isUrl(order.store);
  const { producers, pause, ...stays } = PACES[isShared ? 'together' : 'alone'];
  const { closeAfter } = order;
  const close = new AbortController();
  if (closeAfter !== null) setTimeout(() => close.abort(), closeAfter);
  const signal = AbortSignal.any([close.signal, parts.stop]);
  const handlers = new Handlers(deliveries, random);
  const common = { mq, gate, random, signal };
  const consumers = new Consumers({ ...common, deliveries, handlers, ...stays });
  const sends = new Sends(mq, recorder);
  const running: Promise<void>[] = [];
  for (const { name } of mq.listQueues()) {
    if (random.chance(consumerShare(name))) running.push(consumers.start(name));
  }
  for (let i = 0; i < producers; i++) {
    const isFirst = i === 0;
    const producer = new Producer({
      name: `p${i}`,
      process: order.process,
      sends,
      gate,
      random,
      inDoubt: isFirst ? order.inDoubt : [],
      isPoisoner: isFirst && order.isPoisoner,
      pause,
      signal,
    });
    running.push(producer.run());
  }
  // Where others go on, nothing is ever at rest.
  running.push(keepHouse({ ...common, recorder, consumers, audits: !isShared }));
  await Promise.all(running);
}

/** Loads only the driver that is asked for: it takes a good part of a process's start. */
async function driverOf(store: string, clock: SystemClock): Promise<Driver> {
  if (store.startsWith('postgres')) {
    const { createPostgresDriver } = await import('../../src/drivers/postgres/index.ts');
    return createPostgresDriver({ url: store });
  }
  if (isUrl(store)) {
    const { createRedisDriver } = await import('../../src/drivers/redis/index.ts');
    return createRedisDriver({ url: store });
  }
  const { createLmdbDriver } = await import('../../src/drivers/lmdb/index.ts');
  return createLmdbDriver({ path: store, clock });
}

function isUrl(store: string): boolean {
  return store.includes('://');
}

/** @returns the store's clock less the monotonic one, in milliseconds */
async function offsetOf(driver: Driver): Promise<number> {
  let best = { took: Infinity, offset: 0 };
  for (let look = 0; look < CLOCK_LOOKS; look++) {
    const before = monotonicNow();
    const now = await driver.now();
    const after = monotonicNow();
    const took = after - before;
    // Whole milliseconds are those that have passed: the time is half of one later.
    if (took < best.took) best = { took, offset: now + 0.5 - (before + after) / 2 };
  }
  return best.offset;
}

/** How many of the processes consume a queue. What is seldom consumed is redriven, or purged. */
function consumerShare(queue: string): number {
  if (queue.includes('dead')) return 0.15;
  return queue === PURGED ? 0.4 : 0.95;
}
