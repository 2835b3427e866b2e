import type { Cluster, Redis, RedisOptions } from 'ioredis';
import type { Clock } from '../../core/clock.ts';
import { ValidationError } from '../../core/errors.ts';
import { parseAddress, type RedisAddress, type RedisNode } from './address.ts';

/** A connection of the caller's, or ours. */
export type RedisClient = Redis | Cluster;

/** How to reach a store: one of `url`, `client`, `sentinel` and `cluster`; none: localhost. */
export interface RedisDriverOptions {
  /** `redis://…`, `rediss://…`, `redis+socket://…`, `redis-sentinel://…` or `redis-cluster://…`. */
  readonly url?: string;
  /**
   * A client of yours, which stays open when the store is closed. The store makes one connection
   * beside it, for notices. It must not have a `keyPrefix`.
   */
  readonly client?: RedisClient;
  /** The sentinels, and the name they know the primary by. */
  readonly sentinel?: { readonly nodes: readonly RedisNode[]; readonly name: string };
  /** Some nodes of a cluster; the others are found. */
  readonly cluster?: readonly RedisNode[];
  /** Whatever else ioredis takes: tls, username, password, db, natMap … */
  readonly connection?: RedisOptions;
  /** Before every key: keeps several systems on one server apart. Default: 'wherry'. */
  readonly prefix?: string;
  /**
   * How many replicas must have a change before it is confirmed (WAIT). Default: 0. If fewer answer
   * within `callTimeout`, the call rejects with `STORAGE_REPLICAS`.
   */
  readonly waitReplicas?: number;
  /** Milliseconds that a call waits at most for a server that is away, up to 30,000. Default: 10,000. */
  readonly callTimeout?: number;
  /** For tests: the time of messages, instead of the server's. */
  readonly clock?: Clock;
}

/** Options with nothing left open. */
export interface RedisSettings {
  readonly address: RedisAddress;
  readonly client: RedisClient | null;
  readonly connection: RedisOptions;
  readonly prefix: string;
  readonly waitReplicas: number;
  readonly callTimeout: number;
  readonly clock: Clock | null;
}

const LOCALHOST: RedisAddress = {
  kind: 'single',
  nodes: [{ host: 'localhost', port: 6379 }],
  db: 0,
};

const PREFIX_PATTERN = /^[^{}\s]{1,100}$/u;
const WAIT_REPLICAS_MAX = 100;
const CALL_TIMEOUT_DEFAULT_MS = 10_000;
/** The server knows a call again for a minute: trying longer could carry it out twice. */
const CALL_TIMEOUT_MAX_MS = 30_000;

/** @throws ValidationError when an option is wrong, or two contradict each other */
export function readOptions(options: RedisDriverOptions): RedisSettings {
  const address = addressOf(options);
  const prefix = options.prefix ?? address.prefix ?? 'wherry';
  if (!PREFIX_PATTERN.test(prefix)) {
    throw new ValidationError(
      `prefix is '${prefix}'; it must be 1 to 100 characters without spaces and braces.`,
    );
  }
  return {
    address,
    client: options.client ?? null,
    connection: options.connection ?? {},
    prefix,
    waitReplicas: inRange(
      'waitReplicas',
      options.waitReplicas ?? address.waitReplicas ?? 0,
      WAIT_REPLICAS_MAX,
    ),
    callTimeout: inRange(
      'callTimeout',
      options.callTimeout ?? CALL_TIMEOUT_DEFAULT_MS,
      CALL_TIMEOUT_MAX_MS,
    ),
    clock: options.clock ?? null,
  };
}

function addressOf(options: RedisDriverOptions): RedisAddress {
  const { url, client, sentinel, cluster } = options;
  const given = Object.entries({ url, client, sentinel, cluster }).filter(([, value]) => value);
  if (given.length > 1) {
    const names = given.map(([name]) => name).join(' and ');
    throw new ValidationError(`${names} are given; a Redis store is reached by one of them.`);
  }
  if (url !== undefined) return parseAddress(url);
  if (client !== undefined) return addressOfClient(client);
  if (sentinel !== undefined) {
    return { kind: 'sentinel', nodes: sentinel.nodes, primary: sentinel.name, db: 0 };
  }
  return cluster === undefined ? LOCALHOST : { kind: 'cluster', nodes: cluster, db: 0 };
}

/** Of the caller's client only the kind counts: it knows itself where its servers are. */
function addressOfClient(client: RedisClient): RedisAddress {
  if (typeof (client as { evalsha?: unknown }).evalsha !== 'function') {
    throw new ValidationError('client is no client of ioredis. Give a Redis or a Cluster.');
  }
  if (client.options.keyPrefix) {
    throw new ValidationError(
      `client has the keyPrefix '${client.options.keyPrefix}', which its channels would not have. ` +
        "Give a client without one, and the store's own prefix.",
    );
  }
  if (isCluster(client)) return { kind: 'cluster', nodes: [], db: 0 };
  const kind = client.options.sentinels ? 'sentinel' : 'single';
  return { kind, nodes: [], db: client.options.db ?? 0 };
}

/** By its shape: the caller's ioredis may be another copy than ours. */
export function isCluster(client: RedisClient): client is Cluster {
  return (client as { isCluster?: boolean }).isCluster === true;
}

function inRange(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new ValidationError(`${name} is ${value}; it must be a whole number from 0 to ${max}.`);
}
