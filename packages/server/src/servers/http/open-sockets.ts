import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** The connections of a server, those included that speak something else than HTTP by now. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** Cuts them all; what is on its way is lost. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
