import type { Redis } from 'ioredis';
import { isCluster, type RedisClient } from './options.ts';

/** What a server says of itself. */
export interface ServerFacts {
  /** Where it is, for messages to people. */
  readonly name: string;
  /** Of Redis, or the one that the server is compatible with. */
  readonly version: string;
  readonly role: 'master' | 'slave';
  readonly isClusterNode: boolean;
  /** Whether every change is written to a file, and when that file is synced; null: it does not say. */
  readonly appendOnly: boolean;
  readonly appendFsync: string | null;
  /** When snapshots are made; '' for never, null: it does not say. */
  readonly save: string | null;
  /** Bytes; 0 for no limit. */
  readonly maxMemory: number;
  readonly maxMemoryPolicy: string;
  readonly usedMemory: number;
  readonly replicas: number;
  readonly isLoading: boolean;
  readonly lastSaveFailed: boolean;
}

/** @returns the servers that hold the store's data: the one, or a cluster's masters */
export function mastersOf(client: RedisClient): readonly Redis[] {
  return isCluster(client) ? client.nodes('master') : [client];
}

/** Asks a server about itself. What its user may not ask is left open. */
export async function factsOf(server: Redis): Promise<ServerFacts> {
  const info = parseInfo(await server.info());
  const [appendFsync, save] = await Promise.all([
    setting(server, 'appendfsync'),
    setting(server, 'save'),
  ]);
  const { host, port, path } = server.options;
  return {
    name: path ?? `${host}:${port}`,
    version: info.get('redis_version') ?? '0',
    role: info.get('role') === 'slave' ? 'slave' : 'master',
    isClusterNode: info.get('cluster_enabled') === '1',
    appendOnly: info.get('aof_enabled') === '1',
    appendFsync,
    save,
    maxMemory: Number(info.get('maxmemory') ?? 0),
    maxMemoryPolicy: info.get('maxmemory_policy') ?? 'noeviction',
    usedMemory: Number(info.get('used_memory') ?? 0),
    replicas: Number(info.get('connected_slaves') ?? 0),
    isLoading: info.get('loading') === '1',
    lastSaveFailed:
      info.get('rdb_last_bgsave_status') === 'err' || info.get('aof_last_write_status') === 'err',
  };
}

/** What survives of what was confirmed, by how the server writes it down. */
export function durabilityOf(facts: readonly ServerFacts[]): 'none' | 'process' | 'power' {
  if (facts.some(({ appendOnly }) => !appendOnly)) return 'none';
  return facts.every(({ appendFsync }) => appendFsync === 'always') ? 'power' : 'process';
}

/** @returns whether a is an older version than b, both as '7.0.15' */
export function isOlder(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (const [i, part] of right!.entries()) {
    if ((left![i] ?? 0) !== part) return (left![i] ?? 0) < part;
  }
  return false;
}

/** Some services do not offer CONFIG, and a user may not be allowed it. */
async function setting(server: Redis, name: string): Promise<string | null> {
  try {
    const [, value] = await server.config('GET', name);
    return value ?? null;
  } catch {
    return null;
  }
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}
