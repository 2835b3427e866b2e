/** Servers that take turns in one process, a fraction of a second each, so that all meet the same moods. */
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { openAmqplib } from './amqplib-client.ts';
import type { OpenClient } from './client.ts';
import { Contestant, type Effort } from './contestant.ts';
import { openLean } from './lean-client.ts';
import { openRabbitmqClient } from './rabbitmq-client.ts';
import { serversOf } from './servers.ts';

export type ClientName = 'lean' | 'amqplib' | 'rabbitmq-client';

export const CLIENTS: Readonly<Record<ClientName, OpenClient>> = {
  lean: openLean,
  amqplib: openAmqplib,
  'rabbitmq-client': openRabbitmqClient,
};

export const QUEUE = 'bench';

const TURNS = 3;
const TURN_MS = 400;
const COUNT_MAX = 100_000;
const QUICK_COUNT = 100;

/** What a turn does, by the name of its figures. The first effort says how much fits a turn. */
type Turn = (contestant: Contestant, count: number) => Promise<Readonly<Record<string, Effort>>>;

export interface TurnOptions {
  readonly client: ClientName;
  readonly connections: number;
  /** Messages of the first, cold turn. */
  readonly coldCount: number;
}

/**
 * Opens connections to each server of the contest and lets them take turns. Each does as many
 * messages as it can in the time of a turn, going by two turns before that do not count.
 * @returns per server and part messages per second, and microseconds of the server per message
 */
export async function inTurns(
  context: RunContext,
  { client, connections, coldCount }: TurnOptions,
  turn: Turn,
): Promise<Figures> {
  const contestants = await openAll(context, client, connections);
  const counts = new Map<Contestant, number>();
  for (const contestant of contestants) {
    await contestant.control.declareQueue(QUEUE);
    let count = context.isQuick ? QUICK_COUNT : coldCount;
    for (let warmUp = 0; warmUp < (context.isQuick ? 0 : 2); warmUp++) {
      count = fittingCount(await turn(contestant, count));
    }
    counts.set(contestant, count);
  }
  const sums = new Map<string, Effort>();
  for (let i = 0; i < (context.isQuick ? 1 : TURNS); i++) {
    for (const contestant of rotated(contestants, i)) {
      const efforts = await turn(contestant, counts.get(contestant)!);
      for (const [part, effort] of Object.entries(efforts)) {
        add(sums, `${contestant.server.name} ${part}`, effort);
      }
    }
  }
  for (const contestant of contestants) {
    await contestant.control.deleteQueue(QUEUE);
    await contestant.close();
  }
  return figuresOf(sums);
}

export async function openAll(
  context: RunContext,
  client: ClientName,
  connections: number,
): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const server of serversOf(context)) {
    contestants.push(await Contestant.open(server, CLIENTS[client], connections));
  }
  return contestants;
}

/** @returns the same, beginning with another in each turn */
export function rotated<T>(items: readonly T[], turn: number): T[] {
  return items.map((_, i) => items[(i + turn) % items.length]!);
}

function fittingCount(efforts: Readonly<Record<string, Effort>>): number {
  const { messages, ms } = Object.values(efforts)[0]!;
  return Math.min(COUNT_MAX, Math.ceil((messages / ms) * TURN_MS));
}

function add(sums: Map<string, Effort>, name: string, { messages, ms, cpuMs }: Effort): void {
  const sum = sums.get(name) ?? { messages: 0, ms: 0, cpuMs: 0 };
  sums.set(name, {
    messages: sum.messages + messages,
    ms: sum.ms + ms,
    cpuMs: sum.cpuMs + cpuMs,
  });
}

function figuresOf(sums: ReadonlyMap<string, Effort>): Figures {
  const figures: Record<string, number> = {};
  for (const [name, { messages, ms, cpuMs }] of sums) {
    figures[name] = (messages / ms) * 1_000;
    figures[`${name} cpu`] = (cpuMs / messages) * 1_000;
  }
  return figures;
}
