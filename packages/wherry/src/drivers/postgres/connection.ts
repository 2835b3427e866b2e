import { ClosedError } from '../../core/errors.ts';
import type { PooledClient, Statement } from './client.ts';
import type { Argument, CallOptions, Database } from './database.ts';
import { isBroken, isConflict, mayPass, storageError } from './errors.ts';
import { callText, type FunctionName, transactionValues } from './functions.ts';
import { withLimit } from './limit.ts';
import type { PostgresSettings } from './options.ts';
import { type KeptClient, Pool } from './pool.ts';
import { rowsOf, TYPES } from './results.ts';
import { inSchema } from './schema.ts';
import { refuseServer, SERVER_FACTS, type ServerFacts } from './server-facts.ts';
import { sleepAbout } from './timers.ts';

/** How often what stood against another transaction is tried. */
const TRIES = 10;
const CONFLICT_WAIT_MS = 2;
const CONFLICT_WAIT_MAX_MS = 200;
/** By how much the server, if it watches the time too, is given precedence. */
const ANSWER_GRACE_MS = 1_000;

/** Runs one statement, in which `wherry.` stands for the store's schema. @returns its rows */
export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

type StatementOptions = Omit<CallOptions, 'transaction'>;
type Work<T> = (client: PooledClient) => Promise<T>;

/**
 * The way to the database: it connects again by itself, repeats what failed only because of who
 * else was at work, gives up what takes too long, and says in our terms what went wrong. It keeps
 * nothing in a session and names no statement, so a pooler may give every transaction another
 * connection of the server.
 */
export class Connection implements Database {
  readonly schema: string;
  salt = 0;
  readonly #settings: PostgresSettings;
  readonly #pool: Pool;
  readonly #underWay = new Set<Promise<unknown>>();
  #state: 'new' | 'open' | 'closed' = 'new';
  #server: ServerFacts | null = null;

  constructor(settings: PostgresSettings) {
    this.#settings = settings;
    this.schema = settings.schema;
    this.#pool = new Pool(settings);
  }

  /** Whether a pooler is in between: nothing can be kept in a session. Known once it is open. */
  get isShared(): boolean {
    return this.#pool.isShared;
  }

  /** What the server said of itself when it was opened. */
  get server(): ServerFacts {
    if (this.#server === null) throw new ClosedError('The PostgreSQL store');
    return this.#server;
  }

  /** @throws StorageError when there is no server, it does not let us in, or it is of no use */
  async open(): Promise<void> {
    try {
      await this.#pool.open();
      this.#state = 'open';
      const [server] = await this.query<ServerFacts>(SERVER_FACTS);
      refuseServer(server!);
      this.#server = server!;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Lets what is under way end, then the connections. A pool of the caller's stays open. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#pool.beginClose();
    await Promise.allSettled(this.#underWay);
    await this.#pool.close();
  }

  /** Learns what the store's ids have in common, once its schema is there. */
  async readSalt(): Promise<void> {
    const [row] = await this.query<{ salt: number }>('SELECT salt FROM wherry.store');
    this.salt = row!.salt;
  }

  clockTime(): number | null {
    return this.#settings.clock?.now() ?? null;
  }

  async call<Row>(
    name: FunctionName,
    args: readonly Argument[],
    { transaction, ...options }: CallOptions = {},
  ): Promise<readonly Row[]> {
    if (transaction === undefined) {
      return this.#statement(callText(this.schema, name, 'own'), args, options);
    }
    this.#refuseIfClosed();
    try {
      const text = callText(this.schema, name, 'transaction');
      const result = await transaction.query(text, transactionValues(name, args));
      return rowsOf(result) as readonly Row[];
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Runs one statement in a transaction of its own, and again when another stood against it. */
  query<Row>(
    text: string,
    values: readonly unknown[] = [],
    options: StatementOptions = {},
  ): Promise<readonly Row[]> {
    return this.#statement(inSchema(text, this.schema), values, options);
  }

  /**
   * Runs several statements in one transaction, which is begun anew when another stood against it.
   * They may take as long as they need.
   * @throws StorageError, and whatever `work` throws, when it was rolled back
   */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.#use(async (client) => {
      const query: Query = async (text, values = []) => {
        const statement = statementOf(inSchema(text, this.schema), values);
        return rowsOf(await client.query(statement)) as never;
      };
      await client.query('BEGIN; SET LOCAL statement_timeout = 0');
      try {
        const result = await work(query);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        if (isBroken(error)) throw error;
        // The connection is given back without a transaction, or not at all.
        await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  /** A connection to listen on. @throws StorageError */
  keepClient(): Promise<KeptClient> {
    return this.#pool.keep();
  }

  #statement<Row>(
    text: string,
    values: readonly unknown[],
    options: StatementOptions,
  ): Promise<readonly Row[]> {
    const statement = statementOf(text, values);
    const limit = this.#settings.callTimeout + ANSWER_GRACE_MS;
    return this.#use(async (client) => {
      const result = await withLimit(client.query(statement), limit);
      return rowsOf(result) as readonly Row[];
    }, options.repeatable);
  }

  async #use<T>(work: Work<T>, isRepeatable = false): Promise<T> {
    this.#refuseIfClosed();
    const done = this.#repeat(work, isRepeatable);
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  async #repeat<T>(work: Work<T>, isRepeatable: boolean): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const client = await this.#pool.acquire();
      try {
        const result = await work(client);
        this.#pool.release(client, false);
        return result;
      } catch (error) {
        this.#pool.release(client, isBroken(error));
        const mayRepeat = isConflict(error) || (isRepeatable && mayPass(error));
        if (!mayRepeat || tries === TRIES) throw storageError(error);
      }
      await sleepAbout(Math.min(CONFLICT_WAIT_MS * 2 ** tries, CONFLICT_WAIT_MAX_MS));
    }
  }

  #refuseIfClosed(): void {
    if (this.#state !== 'open') throw new ClosedError('The PostgreSQL store');
  }
}

function statementOf(text: string, values: readonly unknown[]): Statement {
  return { text, values: [...values], types: TYPES };
}
