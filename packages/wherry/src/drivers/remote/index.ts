import { randomInt } from 'node:crypto';
import { CountedDriver } from '../../core/counted-driver.ts';
import type { Driver } from '../../core/driver.ts';
import { housekeepingOf } from '../../core/housekeeping.ts';
import { installFirst } from '../../core/optional-package.ts';
import { parseAddress } from './address.ts';
import type { Channel } from './channel.ts';
import type { ConnectionSettings } from './connection.ts';
import { connectSocket } from './connect-socket.ts';
import { RemoteDriver } from './driver.ts';
import { StoreHost, type StoreHostOptions } from './host.ts';

export type { Channel } from './channel.ts';
export { type HostedClient, StoreHost, type StoreHostOptions } from './host.ts';
export type { HostLimits } from './host-limits.ts';
export type { AcceptOptions, HostedMethod } from './host-session.ts';
export { socketChannel } from './socket-channel.ts';
export { webSocketChannel, type WebSocketLike } from './web-socket-channel.ts';

/** How long calls wait for a broker that is away, unless told otherwise. Milliseconds. */
const CONNECT_TIMEOUT_MS = 30_000;
const HEARTBEAT_MS = 5_000;
const RANDOM_STEPS = 2 ** 32;

export interface RemoteDriverOptions {
  /**
   * `http://HOST:PORT` or `https://…` of a broker, with `/vhosts/NAME` for a virtual host and
   * `USER:PASSWORD@` for credentials; or `unix:PATH` of a socket.
   */
  readonly url: string;
  /** An API token, instead of a user and password. */
  readonly token?: string | undefined;
  /** How long calls wait for a broker that is away. Milliseconds; default 30,000. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds between two signs of life; default 5,000. Three without an answer are a cut. */
  readonly heartbeat?: number | undefined;
}

/**
 * A store that a broker serves. Needs the package ws, unless it is reached over a socket.
 * @throws ValidationError when an option is wrong
 */
export function createRemoteDriver(options: RemoteDriverOptions): Driver {
  const address = parseAddress(options.url, options.token);
  const connect = async (signal: AbortSignal): Promise<Channel> => {
    if (address.kind === 'socket') return connectSocket(address.path, signal);
    const library = import('./connect-web-socket.ts').catch(installFirst('ws'));
    return (await library).connectWebSocket(address, signal);
  };
  return createDriverOver(address.where, connect, options);
}

/**
 * A store over whatever `connect` makes.
 * @param where for messages to people
 * @param connect makes one attempt; a driver, open, when the store has come to this process
 */
export function createDriverOver(
  where: string,
  connect: ConnectionSettings['connect'],
  options: Pick<RemoteDriverOptions, 'connectTimeout' | 'heartbeat'> = {},
): Driver {
  return new RemoteDriver({
    where,
    connect,
    timeout: options.connectTimeout ?? CONNECT_TIMEOUT_MS,
    heartbeat: options.heartbeat ?? HEARTBEAT_MS,
    random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
  });
}

/**
 * Serves the store of a system to other processes. Close the host before the system.
 * @param system a `MessageQueueSystem`; it sweeps and keeps the schedules for all
 * @throws ValidationError when it is none
 */
export function hostStore(
  system: object,
  options: Omit<StoreHostOptions, 'driver' | 'housekeeper'> = {},
): StoreHost {
  const housekeeper = housekeepingOf(system);
  const driver = new CountedDriver(housekeeper.driver, housekeeper.events);
  return new StoreHost({ ...options, driver, housekeeper });
}
