/**
 * The server that all contenders of a contest share. The parent process starts it and writes down
 * where it is; each run finds it empty.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { startPostgres } from '../../packages/wherry/test/servers/postgres.ts';
import { startRedis } from '../../packages/wherry/test/servers/redis.ts';
import type { RunContext } from './benchmark.ts';
import { cpuMsOf } from './processor-time.ts';

export type ServerKind = 'redis' | 'postgres';

export interface Address {
  readonly kind: ServerKind;
  readonly url: string;
  readonly pid: number;
}

const FILE = 'server.json';
const DATABASE = 'bench';

/** Redis as most run it: what it confirmed is on disk a second later. */
const REDIS = { appendonly: 'yes', appendfsync: 'everysec', save: '""' };
/** PostgreSQL as safe as it is by default, with room for as much as fits this machine's cache. */
const POSTGRES = {
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: 200,
};

/** For `Contest.prepare`: starts the server. @returns how to stop it */
export function startServer(kind: ServerKind) {
  return async ({ shared }: RunContext): Promise<() => Promise<void>> => {
    const server =
      kind === 'redis'
        ? await startRedis({ config: REDIS })
        : await startPostgres({ config: POSTGRES });
    const address: Address = { kind, url: server.url, pid: server.pid };
    writeFileSync(join(shared, FILE), JSON.stringify(address));
    return async () => {
      await server.stop();
    };
  };
}

/** @param shared the contest's folder @returns where its server is */
export function addressOf(shared: string): Address {
  return JSON.parse(readFileSync(join(shared, FILE), 'utf8')) as Address;
}

/** The contest's server, as one run sees it. */
export class BenchServer {
  readonly url: string;
  readonly #address: Address;

  private constructor(address: Address, url: string) {
    this.#address = address;
    this.url = url;
  }

  /** Empties the server for this run. */
  static async find({ shared }: RunContext): Promise<BenchServer> {
    const address = addressOf(shared);
    if (address.kind === 'redis') {
      await onRedis(address.url, (redis) => redis.flushall());
      return new BenchServer(address, address.url);
    }
    await onPostgres(address.url, async (client) => {
      await client.query(`drop database if exists ${DATABASE} with (force)`);
      await client.query(`create database ${DATABASE}`);
      await client.query('checkpoint');
    });
    const url = new URL(address.url);
    url.pathname = `/${DATABASE}`;
    return new BenchServer(address, url.href);
  }

  /** @returns milliseconds of processor time that the server has used so far, in all its processes */
  cpuMs(): number {
    return cpuMsOf(this.#address.pid);
  }

  /** @returns bytes that hold what is stored: memory of Redis; tables with their indexes of PostgreSQL */
  async usedBytes(): Promise<number> {
    if (this.#address.kind === 'redis') {
      const info = await onRedis(this.url, (redis) => redis.info('memory'));
      return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
    }
    return onPostgres(this.url, async (client) => {
      const { rows } = await client.query<{ bytes: string }>(
        `select coalesce(sum(pg_total_relation_size(oid)), 0) as bytes from pg_class
         where relkind = 'r' and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')`,
      );
      return Number(rows[0]?.bytes);
    });
  }

  /** @returns scripts of Redis, or transactions of PostgreSQL, that the server has run so far */
  async callsDone(): Promise<number> {
    if (this.#address.kind === 'redis') {
      const info = await onRedis(this.url, (redis) => redis.info('commandstats'));
      return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(info)?.[1] ?? 0);
    }
    return onPostgres(this.url, async (client) => {
      const { rows } = await client.query<{ done: string }>(
        `select sum(xact_commit + xact_rollback) as done from pg_stat_database where datname = '${DATABASE}'`,
      );
      return Number(rows[0]?.done);
    });
  }
}

async function onRedis<Result>(url: string, work: (redis: Redis) => Promise<Result>) {
  const redis = new Redis(url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function onPostgres<Result>(url: string, work: (client: Client) => Promise<Result>) {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
