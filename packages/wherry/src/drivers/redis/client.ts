import { randomInt } from 'node:crypto';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { isCluster, type RedisClient, type RedisSettings } from './options.ts';

/** A socket on which an answer is owed and nothing comes for so long is dead. Milliseconds. */
const SILENCE_MAX_MS = 5_000;
const CONNECT_MAX_MS = 5_000;
/** A server that does not take leave in so long is left without. Milliseconds. */
const LEAVE_MAX_MS = 1_000;
/** A Sentinel that does not answer for so long is passed over. Milliseconds. */
const SENTINEL_SILENCE_MAX_MS = 1_500;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;

/** So that a thousand processes do not all come back at one moment. */
export function retryDelay(attempt: number): number {
  const delay = Math.min(RETRY_MIN_MS * 2 ** (attempt - 1), RETRY_MAX_MS);
  return delay + randomInt(RETRY_MIN_MS);
}

/**
 * What every connection of ours has. Nothing is queued or sent again by the client library: what is
 * to become of a call that was under way is decided in one place, by `connection.ts`.
 */
function ownOptions(settings: RedisSettings): RedisOptions {
  const { username, password, tls } = settings.address;
  return {
    connectTimeout: CONNECT_MAX_MS,
    socketTimeout: SILENCE_MAX_MS,
    disconnectTimeout: LEAVE_MAX_MS,
    connectionName: settings.prefix,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // RESP 3 gives us nothing, and needs a HELLO that proxies and old servers do not know.
    protocol: 2,
    disableClientInfo: true,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    ...settings.connection,
  };
}

/** Makes the client that an address asks for; it is not connected yet. */
export function createClient(settings: RedisSettings): RedisClient {
  const { address } = settings;
  const own = ownOptions(settings);
  if (address.kind === 'cluster') {
    return new Cluster([...address.nodes], {
      lazyConnect: true,
      clusterRetryStrategy: retryDelay,
      // A slot that has moved answers so; asking every few seconds costs a connection each time.
      slotsRefreshInterval: 60_000,
      slotsRefreshTimeout: CONNECT_MAX_MS,
      redisOptions: own,
      ...(own.natMap !== undefined && { natMap: own.natMap }),
      // What becomes of a call whose node is gone is decided by us.
      retryDelayOnFailover: 0,
      // A certificate is for a name, not for the address that it has today.
      ...(own.tls !== undefined && { dnsLookup: (host, callback) => callback(null, host) }),
    });
  }
  const single: RedisOptions = {
    db: address.db,
    ...own,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: retryDelay,
    // After a failover, the way to the new primary is a new connection.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  if (address.kind === 'sentinel') {
    return new Redis({
      // Without these, `tls` counts for neither the servers nor the Sentinels.
      ...(own.tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: own.tls }),
      sentinelCommandTimeout: SENTINEL_SILENCE_MAX_MS,
      ...single,
      sentinels: [...address.nodes],
      name: address.primary,
      failoverDetector: true,
      sentinelRetryStrategy: retryDelay,
    });
  }
  if (address.path !== undefined) return new Redis({ ...single, path: address.path });
  return new Redis({ ...single, ...address.nodes[0] });
}

const heeded = new WeakSet<Redis>();

/**
 * What becomes of an ASKING is told by the command behind it. The client library hears of neither: a
 * node that dies meanwhile would end the process.
 */
export function heedAsking(node: Redis): void {
  if (heeded.has(node)) return;
  heeded.add(node);
  const asking = node.asking.bind(node);
  node.asking = () => {
    const asked = asking();
    asked.catch(() => undefined);
    return asked;
  };
}

/**
 * Makes a connection for notices beside a client: to the same server, or to any node of the cluster.
 * It does not reconnect by itself.
 * @returns null when no node is known at this moment
 */
export function createListener(client: RedisClient): Redis | null {
  const options: RedisOptions = {
    lazyConnect: true,
    enableOfflineQueue: true,
    retryStrategy: () => null,
    // Else it would go on asking Sentinels that are gone.
    sentinelRetryStrategy: () => null,
    reconnectOnError: null,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    connectTimeout: CONNECT_MAX_MS,
    socketTimeout: SILENCE_MAX_MS,
    disconnectTimeout: LEAVE_MAX_MS,
    protocol: 2,
  };
  if (!isCluster(client)) return client.duplicate(options);
  const nodes = client.nodes('all').filter(({ status }) => status !== 'end');
  if (nodes.length === 0) return null;
  return nodes[randomInt(nodes.length)]!.duplicate({ ...options, readOnly: false });
}

/** Ends a connection of ours. @returns when its sockets are gone */
export async function endClient(client: RedisClient): Promise<void> {
  const connections: readonly Redis[] = isCluster(client) ? client.nodes('all') : [client];
  // Between two attempts there is no socket, and nothing will tell of its end.
  const open = connections.filter(({ status }) => HAVE_SOCKETS.has(status));
  const ended = open.map((one) => new Promise<void>((resolve) => one.once('end', resolve)));
  client.disconnect();
  // Connected after all, it would begin to watch the Sentinels, and nobody would end that.
  for (const { stream } of open) if (stream?.connecting) stream.destroy();
  await Promise.all(ended);
}

const HAVE_SOCKETS: ReadonlySet<string> = new Set([
  'connecting',
  'connect',
  'ready',
  'disconnecting',
]);
