import { StorageError } from '../../core/errors.ts';
import { Connection } from './connection.ts';
import { examineQueues, type ExaminedQueue, type Finding } from './examination.ts';
import { FORMAT } from './opening.ts';
import { readOptions, type RedisDriverOptions, type RedisSettings } from './options.ts';
import { durabilityOf } from './server-facts.ts';
import { ServerStore } from './server-store.ts';
import { findStrays } from './strays.ts';
import { type ExaminedServer, lookAround, warningsOf } from './surroundings.ts';

export interface RedisDoctorOptions extends RedisDriverOptions {
  /** Mends counters that are wrong; without it the store is only read. */
  readonly repair?: boolean;
  /** @param messages how many were looked at so far */
  readonly onProgress?: (messages: number) => void;
}

export interface RedisReport {
  readonly prefix: string;
  readonly format: number;
  /** What survives of what was confirmed: nothing, the server's crash, or a power cut. */
  readonly durability: 'none' | 'process' | 'power';
  /** The one server, or a cluster's masters. */
  readonly servers: readonly ExaminedServer[];
  readonly queues: number;
  readonly messages: number;
  /** Each queue, and of one that is spread each place. */
  readonly places: readonly ExaminedQueue[];
  /** What contradicts something else in the store; mended ones too. */
  readonly problems: readonly Finding[];
  readonly repaired: number;
  /** What may lose messages, or stop the store: for people to change. */
  readonly warnings: readonly Finding[];
}

/**
 * Verifies that the parts of a store agree, and looks at the servers. The store may be in use.
 * @throws StorageVersionError when a newer version made it
 * @throws StorageError when there is none, or the server cannot be reached
 */
export async function examineRedis({
  repair = false,
  onProgress = () => undefined,
  ...options
}: RedisDoctorOptions): Promise<RedisReport> {
  const settings = readOptions(options);
  await requireStore(settings);
  const store = new ServerStore(settings);
  await store.open();
  try {
    const entries = await store.topology.load();
    const places = new Map<number, string>();
    for (const { kind, name, number } of entries) {
      if (kind !== 'queue') continue;
      for (const place of store.topology.knownPlaces(number)) places.set(place, name);
    }
    const servers = await lookAround(store.client);
    const examined = await examineQueues(store, places, { repair, onProgress });
    const strays = await findStrays(store.client, settings.prefix, async () => {
      await store.topology.reload();
      return store.topology.places();
    });
    const { messages, repaired } = examined;
    return {
      prefix: settings.prefix,
      format: FORMAT,
      durability: durabilityOf(servers),
      servers,
      queues: entries.filter(({ kind }) => kind === 'queue').length,
      messages,
      places: examined.queues,
      problems: [...examined.problems, ...strays],
      repaired,
      warnings: await warningsOf(store.client, servers, settings.waitReplicas),
    };
  } finally {
    await store.close();
  }
}

/** Opening a store makes it. */
async function requireStore(settings: RedisSettings): Promise<void> {
  const connection = new Connection(settings);
  const key = `${settings.prefix}:{topology}:facts`;
  try {
    await connection.open();
    const exists = await connection.send((client) => client.exists(key), { repeatable: true });
    if (exists === 1) return;
    throw new StorageError(
      `There is no store with the prefix '${settings.prefix}' there. Name it with ?prefix=… in the URL.`,
      { code: 'STORAGE_OPEN' },
    );
  } finally {
    await connection.close();
  }
}
