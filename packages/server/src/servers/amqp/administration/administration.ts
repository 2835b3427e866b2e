import type {
  AmqpConnection,
  AmqpSide,
  AmqpVhostSide,
} from '../../../protocols/management/amqp-side.ts';
import { AdministeredVhost } from './administered-vhost.ts';
import type { AmqpServer } from '../connection/listener.ts';

/** The AMQP server as the HTTP server shows and administers it. */
export class Administration implements AmqpSide {
  readonly #server: Pick<AmqpServer, 'connections' | 'ports' | 'vhosts'>;

  constructor(server: Pick<AmqpServer, 'connections' | 'ports' | 'vhosts'>) {
    this.#server = server;
  }

  get port(): number | null {
    return this.#server.ports?.port ?? null;
  }

  get tlsPort(): number | null {
    return this.#server.ports?.tlsPort ?? null;
  }

  async vhost(name: string): Promise<AmqpVhostSide | undefined> {
    const vhost = await this.#server.vhosts.open(name);
    return vhost && new AdministeredVhost(vhost);
  }

  connections(): AmqpConnection[] {
    return this.#server.connections.list();
  }

  closeConnection(id: string, reason: string): boolean {
    return this.#server.connections.close(id, reason);
  }
}
