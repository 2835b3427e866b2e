import type { Figures, RunContext } from '../harness/benchmark.ts';
import { FIRST_NUMBER } from '../workloads/payload.ts';
import { type Numbered, toQueue } from './client.ts';
import { consumeAll } from './contestant.ts';
import { type ClientName, inTurns, QUEUE } from './turns.ts';

export interface Traffic {
  readonly client: ClientName;
  readonly bytes: number;
  /** Unconfirmed messages, or the prefetch, of all connections together. */
  readonly depth: number;
  readonly connections: number;
}

const COLD_PER_DEPTH = 100;
const COLD_MAX = 20_000;

function coldCountOf(depth: number): number {
  return Math.min(COLD_MAX, depth * COLD_PER_DEPTH);
}

/**
 * Publishes, then consumes the same messages.
 * @returns for each server the figures `publish` and `consume`
 * @throws InvalidRunError when a message did not come exactly once
 */
export function measureTraffic(context: RunContext, traffic: Traffic): Promise<Figures> {
  const { client, bytes, depth, connections } = traffic;
  const coldCount = coldCountOf(depth);
  return inTurns(context, { client, connections, coldCount }, async (contestant, count) => {
    const messages = { first: FIRST_NUMBER, count, bytes };
    const publish = await contestant.publish(toQueue(QUEUE), messages, depth);
    const consume = await contestant.consume(QUEUE, messages, depth);
    return { publish, consume };
  });
}

/**
 * Publishes on one connection and consumes on another at the same time.
 * @returns for each server the figure `both`: messages that went through
 */
export function measureBoth(context: RunContext, traffic: Traffic): Promise<Figures> {
  const { client, bytes, depth } = traffic;
  const coldCount = coldCountOf(depth);
  return inTurns(context, { client, connections: 2, coldCount }, async (contestant, count) => {
    const [publisher, consumer] = contestant.clients;
    const messages: Numbered = { first: FIRST_NUMBER, count, bytes };
    const both = await contestant.measure(count, () =>
      Promise.all([
        publisher!.publish(toQueue(QUEUE), messages, depth),
        consumeAll([consumer!], () => ({ queue: QUEUE, prefetch: depth, messages })),
      ]),
    );
    return { both };
  });
}

const FANOUT = 'bench.fanout';
const COPIES = 10;
const COPY_PREFETCH = 100;

/**
 * Publishes to an exchange that leads to ten queues, then consumes them over a connection each.
 * @returns for each server the figures `publish`, and `consume` of all copies
 */
export function measureFanout(context: RunContext, traffic: Traffic): Promise<Figures> {
  const { client, bytes, depth } = traffic;
  const queues = Array.from({ length: COPIES }, (_, i) => `${FANOUT}.${i}`);
  const options = { client, connections: COPIES, coldCount: coldCountOf(depth) / COPIES };
  return inTurns(context, options, async (contestant, count) => {
    const { clients, control } = contestant;
    await control.declareFanout(FANOUT, queues);
    const messages: Numbered = { first: FIRST_NUMBER, count, bytes };
    const to = { exchange: FANOUT, routingKey: '' };
    const publish = await contestant.measure(count, () => clients[0]!.publish(to, messages, depth));
    const consume = await contestant.measure(count * COPIES, () =>
      consumeAll(clients, (i) => ({ queue: queues[i]!, prefetch: COPY_PREFETCH, messages })),
    );
    return { publish, consume };
  });
}
