import type { Figures, RunContext } from '../harness/benchmark.ts';
import { DeliveryCheck } from '../harness/delivery-check.ts';
import { quantile } from '../harness/statistics.ts';
import { FIRST_NUMBER } from '../workloads/payload.ts';
import { atSteadyPace } from '../workloads/steady-sends.ts';
import { toQueue } from './client.ts';
import { type Contestant, untilStalled } from './contestant.ts';
import { type ClientName, openAll, QUEUE, rotated } from './turns.ts';

const BYTES = 100;
/** A second's work at this pace. */
const TURN = 500;
const TURNS = 6;
/** Turns before that, for the compilers of client and server: the first few thousand messages are slower. */
const WARM_UP = 3;
const PREFETCH = 100;

interface Latencies {
  readonly confirm: number[];
  readonly delivery: number[];
}

/**
 * 500 messages per second with nobody consuming, then as many that a second connection consumes.
 * @returns for each server the p50 and p99 in milliseconds: `confirm`, from the publish to its
 *   confirm when nobody consumes; `delivery`, from the publish until the message came
 * @throws InvalidRunError when a message did not come exactly once
 */
export async function measureLatency(context: RunContext, client: ClientName): Promise<Figures> {
  const contestants = await openAll(context, client, 2);
  const count = context.isQuick ? 20 : TURN;
  const latencies = new Map(
    contestants.map((one): [Contestant, Latencies] => [one, { confirm: [], delivery: [] }]),
  );
  for (const { control } of contestants) await control.declareQueue(QUEUE);
  const warmUp = context.isQuick ? 1 : WARM_UP;
  for (let i = 0; i < warmUp + (context.isQuick ? 1 : TURNS); i++) {
    for (const contestant of rotated(contestants, i)) {
      const confirm = await confirmTimes(contestant, count);
      const delivery = await deliveryTimes(contestant, count);
      if (i < warmUp) continue;
      latencies.get(contestant)!.confirm.push(...confirm);
      latencies.get(contestant)!.delivery.push(...delivery);
    }
  }
  const figures: Record<string, number> = {};
  for (const [contestant, times] of latencies) {
    for (const part of ['confirm', 'delivery'] as const) {
      figures[`${contestant.server.name} ${part} p50`] = quantile(times[part], 0.5);
      figures[`${contestant.server.name} ${part} p99`] = quantile(times[part], 0.99);
    }
    await contestant.control.deleteQueue(QUEUE);
    await contestant.close();
  }
  return figures;
}

async function confirmTimes(contestant: Contestant, count: number): Promise<number[]> {
  const [publisher] = contestant.clients;
  let next = FIRST_NUMBER;
  const times = await atSteadyPace(count, async () => {
    const start = performance.now();
    await publisher!.send(toQueue(QUEUE), next++, BYTES);
    return performance.now() - start;
  });
  await contestant.consume(QUEUE, { first: FIRST_NUMBER, count, bytes: BYTES }, count);
  return times;
}

async function deliveryTimes(contestant: Contestant, count: number): Promise<number[]> {
  const [publisher, consumer] = contestant.clients;
  const check = new DeliveryCheck(FIRST_NUMBER, count);
  const came = new Map<number, (now: number) => void>();
  const consumption = await consumer!.consume(QUEUE, PREFETCH, (number) => {
    check.mark(number);
    came.get(number)?.(performance.now());
    return true;
  });
  let next = FIRST_NUMBER;
  const times = atSteadyPace(count, async () => {
    const number = next++;
    const arrival = new Promise<number>((resolve) => came.set(number, resolve));
    const start = performance.now();
    await publisher!.send(toQueue(QUEUE), number, BYTES);
    return (await arrival) - start;
  });
  await untilStalled(times, () => check.count);
  check.verify();
  await consumption.end();
  check.verify();
  return times;
}
