import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A client's connection. */
export interface Connection {
  readonly id: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** What it speaks now. */
  readonly protocol: 'http' | 'websocket';
  /** Who made the last request; null: nobody that is known. */
  readonly user: string | null;
  readonly userAgent: string | null;
  readonly requests: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

interface Entry {
  readonly id: string;
  readonly since: number;
  /** Requests that are being answered. */
  active: number;
  user: string | null;
  userAgent: string | null;
  requests: number;
  isWebSocket: boolean;
}

/** The connections of a server, and who is at their other end. */
export class Connections {
  readonly #entries = new Map<Socket, Entry>();
  readonly #closing: AbortSignal;
  #last = 0;

  /** @param closing fires when the server closes: from then on no connection stays without a request */
  constructor(app: FastifyInstance, closing: AbortSignal) {
    this.#closing = closing;
    closing.addEventListener('abort', () => this.#closeIdle());
    const accept = (socket: Socket): void => {
      const id = String(++this.#last);
      this.#entries.set(socket, {
        id,
        since: Date.now(),
        active: 0,
        user: null,
        userAgent: null,
        requests: 0,
        isWebSocket: false,
      });
      socket.once('close', () => this.#entries.delete(socket));
    };
    // Requests over TLS come on the socket that the handshake made.
    const isSecure = 'setSecureContext' in app.server;
    app.server.on(isSecure ? 'secureConnection' : 'connection', accept);
    app.server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      const entry = this.#entries.get(socket);
      if (entry === undefined) return;
      entry.active++;
      response.once('close', () => {
        entry.active--;
        if (this.#closing.aborted) this.#closeIdle();
      });
    });
    app.addHook('preHandler', (request, _reply, done) => {
      const entry = this.#entries.get(request.raw.socket);
      if (entry !== undefined) {
        entry.requests++;
        entry.user = request.identity?.name ?? null;
        entry.userAgent = request.headers['user-agent']?.slice(0, 200) ?? null;
        entry.isWebSocket = request.headers.upgrade !== undefined;
      }
      done();
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  list(): Connection[] {
    return [...this.#entries].map(([socket, { isWebSocket, active: _active, ...entry }]) => ({
      ...entry,
      remoteAddress: socket.remoteAddress ?? '',
      remotePort: socket.remotePort ?? 0,
      protocol: isWebSocket ? 'websocket' : 'http',
      bytesReceived: socket.bytesRead,
      bytesSent: socket.bytesWritten,
    }));
  }

  /** @returns whether there was such a connection */
  close(id: string): boolean {
    for (const [socket, entry] of this.#entries) {
      if (entry.id !== id) continue;
      socket.destroy();
      return true;
    }
    return false;
  }

  /** The server's own way leaves those alone that have not sent a request yet. */
  #closeIdle(): void {
    for (const [socket, { active, isWebSocket }] of this.#entries) {
      if (active === 0 && !isWebSocket) socket.destroySoon();
    }
  }
}
