import type { AmqpConnection } from '../../../protocols/management/amqp-side.ts';

export type AmqpConnectionInfo = AmqpConnection;

/** What the list asks of a connection. */
export interface ListedConnection {
  readonly id: string;
  readonly channelCount: number;
  describe(): AmqpConnectionInfo;
  /** Tells the client why, and closes. */
  forceClose(reason: string): void;
}

/** The AMQP connections of a broker. */
export class AmqpConnections<Connection extends ListedConnection = ListedConnection> {
  readonly #connections = new Map<string, Connection>();
  #last = 0;

  /** Ids are not those of HTTP's connections: lists show both. */
  nextId(): string {
    return `amqp-${++this.#last}`;
  }

  add(connection: Connection): void {
    this.#connections.set(connection.id, connection);
  }

  remove(id: string): void {
    this.#connections.delete(id);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Open channels of all connections. */
  get channels(): number {
    return this.all().reduce((sum, { channelCount }) => sum + channelCount, 0);
  }

  all(): Connection[] {
    return [...this.#connections.values()];
  }

  list(): AmqpConnectionInfo[] {
    return this.all().map((connection) => connection.describe());
  }

  /** @returns whether there was such a connection */
  close(id: string, reason: string): boolean {
    const connection = this.#connections.get(id);
    connection?.forceClose(reason);
    return connection !== undefined;
  }
}
