import {
  type Driver,
  MessageQueueError,
  MessageQueueSystem,
  SystemClock,
} from '../../src/index.ts';
import { createLmdbDriver } from '../../src/drivers/lmdb/index.ts';
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

/** What the supervisor asks of one process. */
export interface WorkOrder {
  readonly process: number;
  /** The folder of the store. */
  readonly store: string;
  readonly seed: number;
  readonly mode: 'work' | 'drain';
  readonly bug: string | null;
  readonly inDoubt: readonly SendInvoked[];
  readonly isPoisoner: boolean;
  /** Milliseconds until it closes the store in peace; null: it waits to be killed. */
  readonly closeAfter: number | null;
  /** Milliseconds that a drain may take. */
  readonly drainMs: number;
}

const PRODUCERS = 5;

/** Opens the store, works or drains as ordered, and closes it, if it is not killed before. */
export async function carryOut(order: WorkOrder, recorder: Recorder): Promise<void> {
  const { process: number, seed } = order;
  recorder.record({ op: 'open', phase: 'invoke' });
  const clock = new SystemClock();
  const driver = createLmdbDriver({ path: order.store, clock });
  const storage: Driver = order.bug === null ? driver : plantBug(order.bug, driver);
  const { queues, exchanges, bindings } = makePlan(seed);
  const mq = await MessageQueueSystem.open({ storage, clock, queues, exchanges, bindings });
  recorder.record({ op: 'open', phase: 'ok', clockOffset: clock.now() - monotonicNow() });
  mq.events.on('consumerError', ({ error }) => {
    if (!(error instanceof MessageQueueError)) throw error;
  });
  recorder.record(await audit(mq));
  const random = new Random(seed * 1_000 + number);
  const deliveries = new Deliveries(mq, recorder);
  if (order.mode === 'drain') await drain(mq, recorder, deliveries, random, order.drainMs);
  else await work(order, mq, recorder, deliveries, random);
  recorder.record({ op: 'close', phase: 'invoke' });
  await mq.close();
  recorder.record({ op: 'close', phase: 'ok' });
}

async function work(
  order: WorkOrder,
  mq: MessageQueueSystem,
  recorder: Recorder,
  deliveries: Deliveries,
  random: Random,
): Promise<void> {
  const gate = new Gate();
  const { closeAfter } = order;
  const stop = new AbortController();
  const { signal } = stop;
  if (closeAfter !== null) setTimeout(() => stop.abort(), closeAfter);
  const handlers = new Handlers(deliveries, random);
  const consumers = new Consumers({ mq, recorder, deliveries, handlers, gate, random, signal });
  const sends = new Sends(mq, recorder);
  const running: Promise<void>[] = [];
  for (const { name } of mq.listQueues()) {
    if (random.chance(consumerShare(name))) running.push(consumers.start(name));
  }
  for (let i = 0; i < PRODUCERS; i++) {
    const isFirst = i === 0;
    const producer = new Producer({
      name: `p${i}`,
      process: order.process,
      sends,
      gate,
      random,
      inDoubt: isFirst ? order.inDoubt : [],
      isPoisoner: isFirst && order.isPoisoner,
      signal,
    });
    running.push(producer.run());
  }
  running.push(keepHouse({ mq, recorder, consumers, gate, random, signal }));
  await Promise.all(running);
}

/** How many of the processes consume a queue. What is seldom consumed is redriven, or purged. */
function consumerShare(queue: string): number {
  if (queue.includes('dead')) return 0.15;
  return queue === PURGED ? 0.4 : 0.95;
}
