/** A place for the messages of each test, in every kind of store. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import type { Driver } from '../../src/core/driver.ts';
import { createLmdbDriver } from '../../src/drivers/lmdb/index.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { createPostgresDriver } from '../../src/drivers/postgres/index.ts';
import { createRedisDriver } from '../../src/drivers/redis/index.ts';
import { startPostgres } from '../servers/postgres.ts';
import { startRedis } from '../servers/redis.ts';

/** Where the messages of one test are. */
export interface Place {
  /** A driver that is not open yet; all of one place have the same messages. */
  connect(clock: Clock): Driver;
  remove(): Promise<void>;
}

/** A server that the tests of one file share; it is started when the first of them asks. */
function shared<Server extends { stop(): Promise<void> }>(
  start: () => Promise<Server>,
): () => Promise<Server> {
  let starting: Promise<Server> | undefined;
  after(async () => {
    const server = await starting;
    await server?.stop();
  });
  return () => (starting ??= start());
}

const redisServer = shared(startRedis);
const postgresServer = shared(startPostgres);
let places = 0;

const newPlace = {
  memory: async (): Promise<Place> => ({
    connect: (clock) => createMemoryDriver({ clock }),
    remove: async () => undefined,
  }),
  lmdb: async (): Promise<Place> => {
    const folder = await mkdtemp(join(tmpdir(), 'wherry-test-'));
    return {
      connect: (clock) => createLmdbDriver({ path: folder, clock }),
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
  redis: async (): Promise<Place> => {
    const { url } = await redisServer();
    const prefix = `test-${(places += 1)}`;
    return {
      connect: (clock) => createRedisDriver({ url, prefix, clock }),
      remove: async () => undefined,
    };
  },
  postgres: async (): Promise<Place> => {
    const { url } = await postgresServer();
    const schema = `test_${(places += 1)}`;
    return {
      connect: (clock) => createPostgresDriver({ url, schema, clock }),
      remove: async () => undefined,
    };
  },
} as const;

/** A kind of store. */
export type StoreName = keyof typeof newPlace;

export const STORES = Object.keys(newPlace) as StoreName[];

/** Those that outlive the process that opened them. */
export const LASTING_STORES: StoreName[] = STORES.filter((store) => store !== 'memory');

/** Those that several processes may have open at once. */
export const SHARED_STORES: StoreName[] = LASTING_STORES.filter((store) => store !== 'lmdb');

/** @returns a place that no other test has */
export function makePlace(store: StoreName): Promise<Place> {
  return newPlace[store]();
}
