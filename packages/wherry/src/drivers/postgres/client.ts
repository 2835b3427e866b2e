/** What is used of `pg`, so that nobody who compiles against Wherry needs its types. */

/** Reads values of one type from the wire. */
export type Parser = (value: never) => unknown;

export interface Statement {
  readonly text: string;
  readonly values: unknown[];
  readonly types: { getTypeParser(oid: number, format?: string): Parser };
}

export interface Notification {
  readonly processId: number;
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** A connection: a `Client` of pg, or what its pool lends. */
export interface PostgresClient {
  query(statement: Statement | string): Promise<unknown>;
  on(event: 'notification', listener: (message: Notification) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PooledClient extends PostgresClient {
  /** Gives it back. @param destroy it is of no more use */
  release(destroy?: boolean): void;
}

/** A `Pool` of pg. */
export interface PostgresPool {
  connect(callback: (error: Error | undefined, client: PooledClient | undefined) => void): void;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'connect' | 'remove', listener: (client: PostgresClient) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** A `Client` of pg by itself. */
export interface SingleClient extends PostgresClient {
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

/** What a client tells of itself; pg's types do not have it. */
export interface ClientFacts {
  /** The process of the server, as the connection's partner said at its start. */
  readonly processID?: number | null;
  readonly connection?: { readonly stream?: { readonly destroyed: boolean; destroy(): unknown } };
}
