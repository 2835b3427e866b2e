/** A store that is served, and the ways to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import type { Driver, TopologyStore } from '../../../src/core/driver.ts';
import { createRemoteDriver, socketChannel, StoreHost } from '../../../src/drivers/remote/index.ts';
import type { StoreHostOptions } from '../../../src/drivers/remote/index.ts';
import { webSocketChannel } from '../../../src/drivers/remote/index.ts';

/** A store with clients. */
export interface Hosted {
  readonly host: StoreHost;
  readonly url: string;
  /** The port, where it is reached over TCP. */
  readonly port: number;
  stop(): Promise<void>;
  /** Ends as a killed process would: nobody is told, what is under way goes on for nobody. */
  kill(): Promise<void>;
}

/** Serves an open driver on a socket in a folder of its own. */
export async function hostOnSocket(
  driver: Driver,
  options: Partial<StoreHostOptions> = {},
): Promise<Hosted> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-remote-'));
  const hosted = await hostAt(join(folder, 'store.sock'), driver, options);
  const stop = async (): Promise<void> => {
    await hosted.stop();
    await rm(folder, { recursive: true });
  };
  return { ...hosted, stop };
}

/** Serves an open driver on a socket with this path. */
export async function hostAt(
  path: string,
  driver: Driver,
  options: Partial<StoreHostOptions> = {},
): Promise<Hosted> {
  const host = new StoreHost({ ...options, driver });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    host.accept(socketChannel(socket), { isLocal: true });
  });
  await listen(server, path);
  const end = (): Promise<unknown> => new Promise((resolve) => server.close(resolve));
  const stop = async (): Promise<void> => {
    await host.close();
    await end();
  };
  const kill = async (): Promise<void> => {
    const ended = end();
    for (const socket of sockets) socket.destroy();
    await ended;
  };
  return { host, url: `unix:${path}`, port: 0, stop, kill };
}

/** Serves an open driver over WebSocket, as a broker does. */
export async function hostOnWebSocket(
  driver: Driver,
  options: Partial<StoreHostOptions> = {},
): Promise<Hosted> {
  const host = new StoreHost({ ...options, driver });
  const http = createHttpServer();
  const sockets = new WebSocketServer({ server: http, path: '/api/v1/store' });
  sockets.on('connection', (socket) => host.accept(webSocketChannel(socket)));
  await listen(http, 0);
  const { port } = http.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    await host.close();
    for (const socket of sockets.clients) socket.terminate();
    await new Promise((resolve) => http.close(resolve));
  };
  return { host, url: `http://127.0.0.1:${port}`, port, stop, kill: stop };
}

async function listen(server: Server, where: string | number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (typeof where === 'string') server.listen(where, resolve);
    else server.listen(where, '127.0.0.1', resolve);
  });
}

/**
 * A driver on a served store, which follows every queue that it makes: news comes of those alone.
 * @param onCall called when a call was made, and is on its way
 */
export function connectTo(url: string, onCall: () => void = () => undefined): Driver {
  const driver = createRemoteDriver({ url, connectTimeout: 10_000 });
  const { topology, notifier } = driver;
  const following: TopologyStore = {
    load: () => topology.load(),
    put: async (entry, expectedVersion) => {
      const stored = await topology.put(entry, expectedVersion);
      if (stored?.kind === 'queue') notifier.follow?.(stored.number);
      return stored;
    },
    remove: (...args) => topology.remove(...args),
    watch: (listener) => topology.watch(listener),
  };
  return new Proxy(driver, {
    get: (_, key: keyof Driver) => {
      if (key === 'topology') return following;
      const value: unknown = driver[key];
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const answer: unknown = Reflect.apply(value, driver, args);
        onCall();
        return answer;
      };
    },
  });
}
