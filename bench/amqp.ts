/**
 * AMQP: our broker on a store on disk beside RabbitMQ, with its classic and its quorum queues.
 * Durable queues, persistent messages, publisher confirms, each message acknowledged by itself.
 */
import { measureLatency } from './amqp/latency.ts';
import { measureMemory } from './amqp/memory.ts';
import { type Peer, startServers } from './amqp/servers.ts';
import { measureBoth, measureFanout, measureTraffic, type Traffic } from './amqp/traffic.ts';
import { CLIENTS, type ClientName } from './amqp/turns.ts';
import type { Contest, Metric, Runner, Target, Unit } from './harness/benchmark.ts';
import { runBenchmark } from './harness/run-benchmark.ts';

const SIZES: Readonly<Record<string, number>> = { '100b': 100, '1kb': 1_024 };
const DEPTHS = [1, 10, 100, 1_000];
/** The depth at which the targets hold. */
const DEEP = 1_000;
const CLIENT_NAMES = Object.keys(CLIENTS) as ClientName[];
const RABBITMQ = ['classic', 'quorum'] as const;

type Targets = Partial<Record<Peer, Target>>;

const RATE: Targets = { classic: { atLeast: 4 }, quorum: { atLeast: 1.5 } };
const CONSUME: Targets = { quorum: { atLeast: 1.2 } };
const CPU: Targets = { quorum: { atMost: 1 } };
const NO_MORE: Targets = { classic: { atMost: 1 }, quorum: { atMost: 1 } };

interface Compared {
  readonly name: string;
  readonly unit: Unit;
  readonly runner: string;
  /** As the runner names it, behind the name of the server. */
  readonly figure: string;
  readonly peers?: readonly Peer[];
  readonly targets?: Targets;
}

/** @returns a metric for each peer */
function compare(compared: Compared): Metric[] {
  const { name, unit, runner, figure, peers = RABBITMQ, targets = {} } = compared;
  return peers.map((peer) => ({
    name: `${name}-${peer}`,
    unit,
    ours: [runner, `ours ${figure}`],
    peer: [runner, `${peer} ${figure}`],
    beside: peer,
    ...(targets[peer] && { target: targets[peer] }),
  }));
}

/** One connection, from one message under way to many. */
function oneConnection(size: string, depths: readonly number[]): Contest {
  const runners: Record<string, Runner> = {};
  const metrics: Metric[] = [];
  for (const client of CLIENT_NAMES) {
    for (const depth of depths) {
      const runner = `${client}-${depth}`;
      const traffic: Traffic = { client, bytes: SIZES[size]!, depth, connections: 1 };
      runners[runner] = (context) => measureTraffic(context, traffic);
      const name = `${client}-${size}-${depth}`;
      const isDeep = depth === DEEP;
      const peers: Peer[] = isDeep ? [...RABBITMQ, 'sink'] : [...RABBITMQ];
      const rate = { unit: '/s', runner, peers } as const;
      metrics.push(
        ...compare({
          ...rate,
          name: `publish-${name}`,
          figure: 'publish',
          targets: isDeep ? RATE : {},
        }),
        ...compare({
          ...rate,
          name: `consume-${name}`,
          figure: 'consume',
          targets: isDeep ? CONSUME : {},
        }),
      );
      if (!isDeep) continue;
      const cpu = { unit: 'µs', runner, targets: CPU } as const;
      metrics.push(
        ...compare({ ...cpu, name: `publish-cpu-${name}`, figure: 'publish cpu' }),
        ...compare({ ...cpu, name: `consume-cpu-${name}`, figure: 'consume cpu' }),
      );
    }
  }
  return { name: `one connection, ${size}`, prepare: startServers, runners, metrics };
}

function bothAtOnce(): Contest {
  const runners: Record<string, Runner> = {};
  const metrics: Metric[] = [];
  for (const client of CLIENT_NAMES) {
    for (const [size, bytes] of Object.entries(SIZES)) {
      const runner = `${client}-both-${size}`;
      const traffic: Traffic = { client, bytes, depth: DEEP, connections: 1 };
      runners[runner] = (context) => measureBoth(context, traffic);
      const name = `both-${client}-${size}`;
      metrics.push(...compare({ name, unit: '/s', runner, figure: 'both', targets: RATE }));
    }
  }
  return { name: 'both at once', prepare: startServers, runners, metrics };
}

function manyConnections(): Contest {
  const runners: Record<string, Runner> = {};
  const metrics: Metric[] = [];
  for (const client of ['lean', 'amqplib'] as const) {
    for (const connections of [10, 100]) {
      const runner = `${client}-${connections}-connections`;
      const traffic: Traffic = { client, bytes: 100, depth: DEEP, connections };
      runners[runner] = (context) => measureTraffic(context, traffic);
      for (const figure of ['publish', 'consume']) {
        metrics.push(...compare({ name: `${figure}-${runner}`, unit: '/s', runner, figure }));
      }
    }
  }
  return { name: 'many connections', prepare: startServers, runners, metrics };
}

function fanout(): Contest {
  const runner = 'lean-fanout';
  const traffic: Traffic = { client: 'lean', bytes: 100, depth: DEEP, connections: 1 };
  return {
    name: 'fan-out to ten queues',
    prepare: startServers,
    runners: { [runner]: (context) => measureFanout(context, traffic) },
    metrics: ['publish', 'consume'].flatMap((figure) =>
      compare({ name: `fanout-${figure}`, unit: '/s', runner, figure }),
    ),
  };
}

function latency(): Contest {
  const runners: Record<string, Runner> = {};
  const metrics: Metric[] = [];
  for (const client of ['lean', 'amqplib'] as const) {
    const runner = `${client}-latency`;
    runners[runner] = (context) => measureLatency(context, client);
    for (const part of ['confirm', 'delivery']) {
      const of = { unit: 'ms', runner } as const;
      metrics.push(
        ...compare({ ...of, name: `${part}-p50-${client}`, figure: `${part} p50` }),
        ...compare({
          ...of,
          name: `${part}-p99-${client}`,
          figure: `${part} p99`,
          targets: NO_MORE,
        }),
      );
    }
  }
  return { name: '500 per second', prepare: startServers, runners, metrics };
}

const memory: Contest = {
  name: 'messages that wait',
  prepare: startServers,
  runners: { waiting: measureMemory },
  rounds: 1,
  metrics: ['resident', 'anonymous'].flatMap((figure) =>
    compare({ name: `memory-${figure}`, unit: 'MB', runner: 'waiting', figure, targets: NO_MORE }),
  ),
};

await runBenchmark({
  name: 'amqp',
  settings: { waiting: 1_000_000 },
  contests: [
    oneConnection('100b', DEPTHS),
    oneConnection('1kb', [DEEP]),
    bothAtOnce(),
    manyConnections(),
    fanout(),
    latency(),
    memory,
  ],
});
