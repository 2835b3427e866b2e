import { randomInt } from 'node:crypto';
import { StorageError, StorageVersionError } from '../../core/errors.ts';
import { QUEUE_TAG_LIMIT } from '../../core/message-id.ts';
import type { Connection } from './connection.ts';
import { factsOf, isOlder, mastersOf, type ServerFacts } from './server-facts.ts';

/** XAUTOCLAIM's version, and that of the ZRANGE forms and of the stream trimming that we use. */
const OLDEST_VERSION = '6.2';

/** Of the layout of keys; see the recipe in lua/queue.lua. */
export const FORMAT = 1;

/** Servers that were warned about in this process, so that ten stores on one warn once. */
const warned = new Set<string>();

/**
 * Looks at the servers before anything is stored on them.
 * @throws StorageError when they are too old, replicas, or part of a cluster named as a single one
 */
export async function examineServers(connection: Connection): Promise<readonly ServerFacts[]> {
  const facts = await connection.send(
    (client) => Promise.all(mastersOf(client).map((server) => factsOf(server))),
    { repeatable: true },
  );
  for (const server of facts) {
    refuse(server, connection.isCluster);
    warnOfEviction(server);
  }
  return facts;
}

function refuse({ name, version, role, isClusterNode }: ServerFacts, isCluster: boolean): void {
  if (isOlder(version, OLDEST_VERSION)) {
    throw new StorageError(
      `The Redis server ${name} has version ${version}; Wherry needs ${OLDEST_VERSION} or later. ` +
        'Upgrade the server. Nothing was changed.',
      { code: 'STORAGE_OLD_SERVER' },
    );
  }
  if (isClusterNode && !isCluster) {
    throw new StorageError(
      `The Redis server ${name} is part of a cluster. Name it as redis-cluster://….`,
      { code: 'STORAGE_OPEN' },
    );
  }
  if (role === 'slave' && !isCluster) {
    throw new StorageError(
      `The Redis server ${name} is a replica, which takes no changes. ` +
        'Name the primary, or the sentinels as redis-sentinel://….',
      { code: 'STORAGE_READONLY' },
    );
  }
}

/**
 * A server that makes room by deleting keys would delete messages without a word. The volatile
 * policies delete keys with a time to live: of ours, what makes a repeated call count once, and what
 * keeps a deleted queue from being used.
 */
function warnOfEviction({ name, maxMemory, maxMemoryPolicy }: ServerFacts): void {
  if (maxMemoryPolicy === 'noeviction' || warned.has(name)) return;
  warned.add(name);
  const limit =
    maxMemory === 0 ? 'once it has a maxmemory' : `at its maxmemory of ${maxMemory} bytes`;
  process.emitWarning(
    `The Redis server ${name} has the maxmemory-policy ${maxMemoryPolicy}: ${limit}, it deletes ` +
      `${whatIsDeletedBy(maxMemoryPolicy)}. Set maxmemory-policy to noeviction.`,
    { type: 'WherryWarning', code: 'WHERRY_REDIS_EVICTION' },
  );
}

/** @param policy any but noeviction */
export function whatIsDeletedBy(policy: string): string {
  return policy.startsWith('allkeys')
    ? 'messages that were confirmed'
    : 'what keeps a call that is repeated from counting twice';
}

/**
 * What a store's ids begin from: drawn when it is opened for the first time.
 * @param key where the store's facts are
 * @throws StorageVersionError when a newer version of Wherry wrote it
 */
export async function openFacts(connection: Connection, key: string): Promise<{ salt: number }> {
  const draw = randomInt(QUEUE_TAG_LIMIT);
  const [format, salt] = await connection.send(
    async (client) => {
      await client.hsetnx(key, 'salt', draw);
      await client.hsetnx(key, 'format', FORMAT);
      return client.hmget(key, 'format', 'salt');
    },
    { repeatable: true },
  );
  if (Number(format) > FORMAT) throw new StorageVersionError(key, Number(format), FORMAT);
  return { salt: Number(salt) };
}
