/**
 * A network that misbehaves, between a client and a server on this machine:
 *
 *     const proxy = await startProxy(redis.port);
 *     after(() => proxy.stop());
 *     const client = new Redis(proxy.urlOf(redis.url));
 *     proxy.cut();
 *
 * What passes through it is not looked at; `latency` delays every piece in both directions and
 * keeps their order.
 */
import { type Server, type Socket, connect, createServer } from 'node:net';
import { freePort } from './free-port.ts';

/** A piece that waits for its time. */
interface Delayed {
  readonly at: number;
  readonly to: Socket;
  readonly bytes: Buffer;
}

/** A proxy that listens on a port of its own. */
export class TcpProxy {
  readonly port: number;
  /** How many clients connected in all, refused ones too. */
  attempts = 0;
  readonly #target: number;
  readonly #server: Server = createServer({ allowHalfOpen: true });
  readonly #pairs = new Map<Socket, Socket>();
  #latency = 0;
  #isRefusing = false;
  #isStalled = false;
  readonly #frozen = new WeakSet<Socket>();
  #delayed: Delayed[] = [];

  constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
    this.#server.on('connection', (client) => this.#accept(client));
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** @returns where the server with the URL `url` is reached through this */
  urlOf(url: string): string {
    const through = new URL(url);
    through.port = String(this.port);
    return through.href;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.port, '127.0.0.1', resolve);
    });
  }

  /** Delays everything from now on. @param ms one way */
  latency(ms: number): void {
    this.#latency = ms;
  }

  /** Resets every connection, as a router that lost its table would. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      reset(client);
      reset(server);
    }
  }

  /** Closes every connection as a server that shuts down would, with what was sent before. */
  closeGracefully(): void {
    for (const [client, server] of this.#pairs) {
      client.end();
      server.end();
    }
  }

  /** New connections are reset at once. */
  refuse(): void {
    this.#isRefusing = true;
  }

  accept(): void {
    this.#isRefusing = false;
  }

  /** Swallows all that is sent, in both directions; connections stay, and new ones are made. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Swallows all that is sent on the connections there are, for good; new ones work. */
  freeze(): void {
    for (const [client, server] of this.#pairs) {
      this.#frozen.add(client).add(server);
    }
  }

  /**
   * Passes on what is sent from now on. What was swallowed is lost, and so are the connections
   * that it was sent on: they are reset, for no network loses a piece out of the middle.
   */
  resume(): void {
    this.#isStalled = false;
    this.cut();
  }

  /** Resets what is open and stops listening. */
  async stop(): Promise<void> {
    this.#delayed = [];
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    this.attempts += 1;
    if (this.#isRefusing) {
      client.on('error', () => undefined);
      reset(client);
      return;
    }
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    this.#pairs.set(client, server);
    this.#join(client, server);
    this.#join(server, client);
  }

  #join(from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('data', (bytes) => this.#pass(to, bytes));
    from.on('end', () => this.#end(to));
    // A reset is passed on as a reset, whatever ended it is no news to the test.
    from.on('error', () => reset(to));
    from.on('close', (hadError) => {
      if (hadError) reset(to);
      else to.end();
      this.#pairs.delete(from);
      this.#pairs.delete(to);
    });
  }

  #pass(to: Socket, bytes: Buffer): void {
    if (this.#isStalled || this.#frozen.has(to)) return;
    if (this.#latency === 0 && this.#delayed.length === 0) {
      to.write(bytes);
      return;
    }
    this.#delayed.push({ at: performance.now() + this.#latency, to, bytes });
    setTimeout(() => this.#flush(), this.#latency);
  }

  /** Timers may fire out of order or early by a part of a millisecond; the queue keeps the order. */
  #flush(): void {
    const now = performance.now() + 1;
    while (this.#delayed.length > 0 && this.#delayed[0]!.at <= now) {
      const { to, bytes } = this.#delayed.shift()!;
      if (to.writable) to.write(bytes);
    }
  }

  #end(to: Socket): void {
    if (this.#latency === 0) to.end();
    else setTimeout(() => to.end(), this.#latency + 1);
  }
}

/**
 * One that is being connected or shut down is only closed: Node 20 would not free its handle, and
 * then never end.
 */
function reset(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(await freePort(), target);
  await proxy.start();
  return proxy;
}
