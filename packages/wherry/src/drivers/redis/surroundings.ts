import type { Redis } from 'ioredis';
import type { Finding } from './examination.ts';
import { whatIsDeletedBy } from './opening.ts';
import { isCluster, type RedisClient } from './options.ts';
import { factsOf, mastersOf, type ServerFacts } from './server-facts.ts';
import { monotonic, wallTime } from './timers.ts';

/** A server, and the way to it. */
export interface ExaminedServer extends ServerFacts {
  /** Milliseconds of a round trip, the median of several. */
  readonly latency: number;
  /** Milliseconds by which the server's clock is ahead of this machine's. */
  readonly clockDifference: number;
}

const ROUND_TRIPS = 9;
/** Between nodes of a cluster; leases and delays of a queue go by the clock of its node. */
const CLOCKS_APART_MS = 1_000;
/** Of maxmemory. */
const MEMORY_HIGH = 0.9;

/** Looks at the servers, without changing anything. */
export async function lookAround(client: RedisClient): Promise<readonly ExaminedServer[]> {
  return Promise.all(
    mastersOf(client).map(async (server) => ({
      ...(await factsOf(server)),
      ...(await measure(server)),
    })),
  );
}

async function measure(server: Redis): Promise<{ latency: number; clockDifference: number }> {
  const latencies: number[] = [];
  const differences: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i += 1) {
    const begun = monotonic();
    const wall = wallTime();
    const [seconds, micros] = await server.time();
    const latency = monotonic() - begun;
    latencies.push(latency);
    differences.push(Number(seconds) * 1_000 + Number(micros) / 1_000 - wall - latency / 2);
  }
  return { latency: median(latencies), clockDifference: Math.round(median(differences)) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** What may lose messages, or stop the store: for people to change. */
export async function warningsOf(
  client: RedisClient,
  servers: readonly ExaminedServer[],
  waitReplicas: number,
): Promise<Finding[]> {
  const clocks = servers.map(({ clockDifference }) => clockDifference);
  const apart = Math.max(...clocks) - Math.min(...clocks);
  return [
    ...servers.flatMap((server) => warningsOfServer(server, waitReplicas)),
    ...(apart > CLOCKS_APART_MS
      ? [
          {
            code: 'clocks',
            message: `The nodes' clocks are up to ${apart} ms apart. Run NTP on them.`,
          },
        ]
      : []),
    ...(await warningsOfCluster(client)),
  ];
}

function warningsOfServer(server: ExaminedServer, waitReplicas: number): Finding[] {
  const { name, appendOnly, appendFsync, maxMemory, maxMemoryPolicy, usedMemory } = server;
  const findings: [boolean, string, string][] = [
    [
      maxMemoryPolicy !== 'noeviction',
      'eviction',
      `has the maxmemory-policy ${maxMemoryPolicy}, which deletes ${whatIsDeletedBy(maxMemoryPolicy)}. ` +
        'Set it to noeviction.',
    ],
    [
      !appendOnly,
      'persistence',
      'has no append-only file: a crash loses what was confirmed since the last snapshot. ' +
        'Set appendonly to yes.',
    ],
    [
      appendOnly && appendFsync !== null && appendFsync !== 'always',
      'appendfsync',
      `has appendfsync ${appendFsync}: a power cut may lose what was confirmed in the last seconds. ` +
        'Set it to always if that must not be.',
    ],
    [server.lastSaveFailed, 'disk', 'could not write to its disk when it last tried. See its log.'],
    [
      maxMemory > 0 && usedMemory > maxMemory * MEMORY_HIGH,
      'memory',
      `uses ${usedMemory} of its maxmemory of ${maxMemory} bytes: soon it refuses to store.`,
    ],
    [
      server.replicas < waitReplicas,
      'replicas',
      `has ${server.replicas} replicas, fewer than the ${waitReplicas} that waitReplicas asks for.`,
    ],
  ];
  return findings
    .filter(([isSo]) => isSo)
    .map(([, code, what]) => ({ code, message: `The server ${name} ${what}` }));
}

async function warningsOfCluster(client: RedisClient): Promise<Finding[]> {
  if (!isCluster(client)) return [];
  const state = /cluster_state:(\w+)/.exec(await client.cluster('INFO'))?.[1];
  if (state === 'ok') return [];
  const message = `The cluster's state is ${state}: a part of its slots is not served.`;
  return [{ code: 'cluster', message }];
}
