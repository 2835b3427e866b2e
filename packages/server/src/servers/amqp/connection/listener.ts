import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import {
  type SecureContextOptions,
  type Server as TlsServer,
  createServer as createTlsServer,
} from 'node:tls';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { AmqpConnection } from './connection.ts';
import { AmqpConnections } from './connections.ts';
import { AmqpVhosts } from './amqp-vhosts.ts';
import type { AmqpContext, AmqpVhost, CreateChannel, MakeVhost } from '../contracts.ts';
import { PublishBudget } from './publish-budget.ts';

export interface AmqpServerParts {
  readonly context: AmqpContext;
  readonly createChannel: CreateChannel;
  readonly makeVhost: MakeVhost;
  /** For `amqp.tlsPort`; with `ca`, clients with a certificate of these authorities need no password. */
  readonly tls?: SecureContextOptions | undefined;
  /** How long a client that is not read any more may read nothing, in milliseconds. Default: 60 s */
  readonly stallMax?: number;
}

/** Where the server can be reached. */
export interface AmqpPorts {
  readonly port: number;
  /** Null: not over TLS. */
  readonly tlsPort: number | null;
}

const SOCKET = {
  // Small answers must not wait for the acknowledgement of those before.
  noDelay: true,
  // After so long without a byte, the system asks whether the other end is still there.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;
const STALL_MAX_MS = 60_000;
/** Why every connection ends when the broker does. */
const SHUTDOWN = "broker forced connection closure with reason 'shutdown'";
/** Why nobody may publish while more than `limits.inFlightBytes` waits to be stored. */
const LOW_ON_MEMORY = 'low on memory';
const IN_FLIGHT = 'in-flight';
const TOLD_AFTER_MS = 1_000;
/** How often it is told that there are too many connections. */
const REFUSED_EVERY_MS = 10_000;
/** Clients are told after this share of the deadline, whatever is still to be stored. */
const TELL_SHARE = 0.5;
/** How long what connections have in hand may take to go back once they are cut. */
const GRACE_MS = 2_000;

/** The AMQP 0-9-1 server: it listens, and has all connections. */
export class AmqpServer {
  readonly connections: AmqpConnections<AmqpConnection> = new AmqpConnections();
  readonly vhosts: AmqpVhosts;
  /** Null: it does not listen yet. */
  ports: AmqpPorts | null = null;
  readonly #parts: AmqpServerParts;
  readonly #budget: PublishBudget;
  readonly #plain: Server = createServer(SOCKET);
  readonly #secure: TlsServer | null = null;
  readonly #sockets = new Set<Socket>();
  /** Sockets that have not spoken TLS yet, by where they come from. */
  readonly #greeting = new Map<string, Socket>();
  /** Why nobody may publish, by who says so. */
  readonly #alarms = new Map<string, string>();
  #memoryTimer: NodeJS.Timeout | undefined;
  #refusedAt = 0;
  #isClosing = false;
  #whenAllEnded: (() => void) | null = null;

  constructor(parts: AmqpServerParts) {
    const { context, makeVhost, tls } = parts;
    const { amqp, limits } = context.config;
    this.#parts = parts;
    this.#budget = new PublishBudget(limits.inFlightBytes, (isFull) => this.#memoryChanged(isFull));
    this.vhosts = new AmqpVhosts(context, makeVhost, (vhost) => this.#endThoseOf(vhost));
    this.#plain.on('connection', (socket) => {
      if (this.#admit(socket)) this.#serve(socket);
    });
    if (tls === undefined || amqp.tlsPort === undefined) return;
    this.#secure = this.#makeSecure(tls);
  }

  /** @throws the socket's error, with `code` and `port`, when an address cannot be had */
  async listen(): Promise<AmqpPorts> {
    const { host, amqp } = this.#parts.context.config;
    const port = await listenAt(this.#plain, { host, port: amqp.port });
    const tlsPort = this.#secure && (await listenAt(this.#secure, { host, port: amqp.tlsPort! }));
    this.ports = { port, tlsPort };
    return this.ports;
  }

  /** Begins to serve a virtual host before anybody asks for it. */
  prepare(vhost: string): void {
    this.vhosts.open(vhost).catch((error: unknown) => {
      const { logger, telemetry } = this.#parts.context;
      telemetry.countError(error);
      logger.error({ vhost, err: error }, 'A virtual host cannot be served over AMQP yet');
    });
  }

  /** Connections that begin from now on get this certificate. */
  renewTls(renewed: SecureContextOptions): void {
    this.#secure?.setSecureContext(renewed);
  }

  /**
   * Nobody may publish until `source`, and every other, has taken it back.
   * @param reason for the clients
   */
  block(source: string, reason: string): void {
    this.#alarms.set(source, reason);
    if (this.#alarms.size > 1) return;
    for (const connection of this.connections.all()) connection.alarm.raise(reason);
  }

  unblock(source: string): void {
    if (!this.#alarms.delete(source) || this.#alarms.size > 0) return;
    for (const connection of this.connections.all()) connection.alarm.clear();
  }

  /**
   * Takes no more connections, lets what was published be stored, tells the clients, and cuts at the
   * deadline those that have not gone. Never rejects.
   * @param deadline milliseconds
   */
  async close(deadline: number): Promise<void> {
    this.#isClosing = true;
    const all = this.connections.all();
    const tell = setTimeout(() => {
      for (const connection of all) connection.forceClose(SHUTDOWN);
    }, deadline * TELL_SHARE);
    const cut = setTimeout(() => this.#cutAll(), deadline);
    for (const connection of all) void connection.shutDown(SHUTDOWN);
    // These have nothing to lose.
    for (const socket of this.#greeting.values()) socket.destroy();
    const ended = (async (): Promise<void> => {
      await Promise.all([closeServer(this.#plain), closeServer(this.#secure)]);
      await this.#allEnded();
      await this.vhosts.close();
    })();
    const giveUp = new AbortController();
    await Promise.race([ended, delay(deadline + GRACE_MS, giveUp.signal)]);
    giveUp.abort();
    clearTimeout(tell);
    clearTimeout(cut);
  }

  #makeSecure(tls: SecureContextOptions): TlsServer {
    const { context } = this.#parts;
    const server = createTlsServer({
      ...SOCKET,
      ...tls,
      handshakeTimeout: context.config.amqp.handshakeTimeout,
      // A certificate is a way to log in, not a condition: what it is worth is seen at the login.
      requestCert: tls.ca !== undefined,
      rejectUnauthorized: false,
    });
    server.on('connection', (socket: Socket) => {
      if (!this.#admit(socket)) return;
      const place = placeOf(socket);
      this.#greeting.set(place, socket);
      socket.once('close', () => this.#greeting.delete(place));
    });
    server.on('secureConnection', (socket) => {
      this.#greeting.delete(placeOf(socket));
      this.#serve(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      context.logger.debug({ err: error }, 'A client of AMQP did not manage TLS');
      // One that was too slow is left open otherwise.
      socket.destroy();
    });
    return server;
  }

  /** @returns whether there is room for one connection more */
  #admit(socket: Socket): boolean {
    const { config, logger } = this.#parts.context;
    const max = config.amqp.connections;
    // Before it is served nobody listens, and an error that nobody hears would end the process.
    socket.on('error', () => {});
    if (!this.#isClosing && this.#sockets.size < max) {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      return true;
    }
    socket.destroy();
    const now = Date.now();
    if (now - this.#refusedAt >= REFUSED_EVERY_MS) {
      this.#refusedAt = now;
      logger.warn({ limit: max }, 'AMQP connections are refused: amqp.connections are open');
    }
    return false;
  }

  #serve(socket: Socket): void {
    const { context, createChannel, stallMax = STALL_MAX_MS } = this.#parts;
    const id = this.connections.nextId();
    const connection = new AmqpConnection({
      id,
      socket,
      broker: context,
      vhosts: this.vhosts,
      budget: this.#budget,
      createChannel,
      stallMax,
      alarm: this.#alarms.values().next().value ?? null,
      ended: () => {
        this.connections.remove(id);
        if (this.connections.size === 0) this.#whenAllEnded?.();
      },
    });
    this.connections.add(connection);
  }

  async #endThoseOf(vhost: AmqpVhost): Promise<void> {
    const connections = this.connections.all().filter((connection) => connection.vhost === vhost);
    await Promise.all(
      connections.map((connection) => {
        connection.forceClose(`vhost '${vhost.name}' is deleted`);
        return connection.sessionEnded();
      }),
    );
  }

  /** Publishers are not read while too much is to be stored; when that takes long, they are told. */
  #memoryChanged(isFull: boolean): void {
    clearTimeout(this.#memoryTimer);
    if (!isFull) this.unblock(IN_FLIGHT);
    else {
      const tell = (): void => this.block(IN_FLIGHT, LOW_ON_MEMORY);
      this.#memoryTimer = setTimeout(tell, TOLD_AFTER_MS).unref();
    }
  }

  async #allEnded(): Promise<void> {
    if (this.connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenAllEnded = resolve;
    });
  }

  #cutAll(): void {
    const { logger } = this.#parts.context;
    if (this.#sockets.size > 0) {
      logger.warn({ connections: this.#sockets.size }, 'AMQP connections are cut: the deadline');
    }
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The same for a socket and for the TLS that is spoken on it. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** @returns the port */
function listenAt(server: Server, where: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function closeServer(server: Server | null): Promise<void> {
  if (server === null || !server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}

/** Resolves after so long, or when it is not waited for any more. */
async function delay(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeoutPromise(ms, undefined, { signal }).catch(() => {});
}
