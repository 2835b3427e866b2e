import type * as pg from 'pg';
import { StorageError } from '../../core/errors.ts';
import type {
  ClientFacts,
  PooledClient,
  PostgresClient,
  PostgresPool,
  SingleClient,
} from './client.ts';
import { connectError, isStarting, mayPass } from './errors.ts';
import type { PostgresSettings } from './options.ts';
import { after, sleepAbout } from './timers.ts';

/** Between two attempts to connect, at first and at most. */
const RETRY_MS = 20;
const RETRY_MAX_MS = 500;
const IDLE_MS = 30_000;
/** A server that does not answer a farewell is left without. */
const FAREWELL_MS = 1_000;

/** A client that its user keeps, and how to give it up. */
export interface KeptClient {
  readonly client: PooledClient | SingleClient;
  readonly close: () => Promise<void>;
}

/** The connections of one store: ours by a URL, or lent by the caller's pool. */
export class Pool {
  /** Something between us and the server shares its connections among clients: PgBouncer, say. */
  isShared = false;
  readonly #settings: PostgresSettings;
  #pool: PostgresPool | null = null;
  /** Not with PgBouncer, which knows few parameters of a connection. */
  #hasStatementTimeout = true;
  #isClosing = false;
  /** Those of our own pool. */
  readonly #clients = new Set<PostgresClient>();
  /**
   * A connection that breaks is replaced when somebody needs one; whoever uses it then is told by
   * the statement that fails. Without a listener, the program would end.
   */
  readonly #ignore = (): void => undefined;

  constructor(settings: PostgresSettings) {
    this.#settings = settings;
  }

  /** Connects once, to see that it can be done; waits for a server that starts. @throws StorageError */
  async open(): Promise<void> {
    this.#pool = await this.#makePool();
    let client: PooledClient;
    try {
      client = await this.#borrow(this.#pool);
    } catch (error) {
      if (refusesParameter(error)) {
        await this.#endPool();
        this.#hasStatementTimeout = false;
        this.#pool = await this.#makePool();
      } else if (!isStarting(error)) throw connectError(error);
      client = await this.acquire();
    }
    try {
      const result = await client.query('SELECT pg_backend_pid() AS pid');
      const { pid } = (result as { rows: [{ pid: number }] }).rows[0];
      this.isShared = (client as ClientFacts).processID !== pid;
      this.release(client, false);
    } catch (error) {
      this.release(client, true);
      throw connectError(error);
    }
  }

  /** Connects again and again while the server is away. @throws StorageError after `callTimeout` */
  async acquire(): Promise<PooledClient> {
    let isOver = false;
    const cancel = after(this.#settings.callTimeout, () => (isOver = true));
    try {
      for (let wait = RETRY_MS; ; wait = Math.min(2 * wait, RETRY_MAX_MS)) {
        try {
          return await this.#borrow(this.#pool!);
        } catch (error) {
          if (isOver || this.#isClosing || !mayPass(error)) throw connectError(error);
        }
        await sleepAbout(wait);
      }
    } finally {
      cancel();
    }
  }

  /** @param isBroken it is of no more use */
  release(client: PooledClient, isBroken: boolean): void {
    client.off('error', this.#ignore);
    client.release(isBroken);
  }

  /** A connection that is kept for long. @throws StorageError */
  async keep(): Promise<KeptClient> {
    const { source } = this.#settings;
    try {
      if ('pool' in source) {
        const client = await this.#borrow(source.pool);
        return { client, close: async () => client.release(true) };
      }
      const { Client } = await importPg();
      const client: SingleClient = this.#watched(new Client(this.#config(source.url)));
      await client.connect();
      return { client, close: () => farewell([client], () => client.end()) };
    } catch (error) {
      throw connectError(error);
    }
  }

  /** No more waiting for a server that is away. */
  beginClose(): void {
    this.#isClosing = true;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#endPool();
  }

  /** It may break before a promise of it is heard of, so it is watched from the first moment on. */
  #borrow(pool: PostgresPool): Promise<PooledClient> {
    return new Promise((resolve, reject) => {
      pool.connect((error, client) => {
        if (client === undefined) reject(error!);
        else resolve(this.#watched(client));
      });
    });
  }

  #watched<T extends PostgresClient>(client: T): T {
    client.on('error', this.#ignore);
    return client;
  }

  async #makePool(): Promise<PostgresPool> {
    const { source, poolSize, callTimeout } = this.#settings;
    let pool: PostgresPool;
    if ('pool' in source) ({ pool } = source);
    else {
      const library = await importPg();
      pool = new library.Pool({
        ...this.#config(source.url),
        max: poolSize,
        connectionTimeoutMillis: callTimeout,
        idleTimeoutMillis: IDLE_MS,
      });
      pool.on('connect', (client) => this.#clients.add(client));
      pool.on('remove', (client) => this.#clients.delete(client));
    }
    pool.on('error', this.#ignore);
    return pool;
  }

  #config(url: string): object {
    return {
      connectionString: url,
      fallback_application_name: 'wherry',
      keepAlive: true,
      ...(this.#hasStatementTimeout && { statement_timeout: this.#settings.callTimeout }),
    };
  }

  async #endPool(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    pool?.off('error', this.#ignore);
    if ('url' in this.#settings.source && pool !== null) {
      await farewell([...this.#clients], () => pool.end());
    }
  }
}

/** Ends connections, and waits until they are gone; that of a server that hangs would never be. */
async function farewell(
  clients: readonly PostgresClient[],
  end: () => Promise<void>,
): Promise<void> {
  const open = clients.filter((client) => streamOf(client)?.destroyed === false);
  const gone = open.map((client) => new Promise<void>((resolve) => client.on('end', resolve)));
  const cancel = after(FAREWELL_MS, () => {
    for (const client of open) streamOf(client)!.destroy();
  });
  await Promise.all([end(), ...gone]);
  cancel();
}

function streamOf(client: PostgresClient) {
  return (client as ClientFacts).connection?.stream;
}

/** Loaded when a store is opened by its URL: who brings a pool has it already. */
async function importPg(): Promise<Pick<typeof pg, 'Client' | 'Pool'>> {
  try {
    const library = await import('pg');
    return library.default;
  } catch (cause) {
    throw new StorageError(
      "The PostgreSQL store needs the package 'pg', which is not installed. Run: npm install pg",
      { code: 'STORAGE_OPEN', cause },
    );
  }
}

/** As PgBouncer says it. */
function refusesParameter(error: unknown): boolean {
  return error instanceof Error && /unsupported startup parameter/.test(error.message);
}
