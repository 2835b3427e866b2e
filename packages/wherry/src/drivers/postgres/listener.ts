import type { ClientFacts, Notification } from './client.ts';
import type { Connection } from './connection.ts';
import { withLimit } from './limit.ts';
import type { KeptClient } from './pool.ts';
import { rowsOf, TYPES } from './results.ts';
import { inSchema } from './schema.ts';
import { after } from './timers.ts';

export interface ListenerEvents {
  /** Somebody announced something; `isOurs`: by `announce` of this listener. */
  readonly heard: (payload: string, isOurs: boolean) => void;
  /** From now on nothing is missed; before, something may have been. */
  readonly connected: () => void;
  /** @param others how many other processes listen */
  readonly counted: (others: number) => void;
}

/** How often it is seen whether the connection lives, and who else listens. */
const HEARTBEAT_MS = 5_000;
const HEARTBEAT_LIMIT_MS = 5_000;
const RECONNECT_MS = 100;
const RECONNECT_MAX_MS = 5_000;

/** The first half of the key of the advisory lock that listeners hold: 'WHRY'. */
const LOCK_CLASS = 0x57485259;

/** Counts the sessions that hold the lock of listeners. */
export const COUNT_LISTENERS: string = `
  SELECT count(*) AS listeners FROM pg_locks
  WHERE locktype = 'advisory' AND classid = ${LOCK_CLASS} AND objid = hashtext($1) & 2147483647
    AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** One connection that listens, and comes back by itself when it was cut. */
export class Listener {
  readonly #connection: Connection;
  readonly #events: ListenerEvents;
  #kept: KeptClient | null = null;
  #isStopped = false;
  #cancelTimer: () => void = () => undefined;
  #wait = RECONNECT_MS;
  /** The statement under way. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: Connection, events: ListenerEvents) {
    this.#connection = connection;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#kept !== null;
  }

  /** Begins; resolves after the first attempt, however it went. */
  async start(): Promise<void> {
    await this.#connect();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    const kept = this.#kept;
    this.#kept = null;
    await kept?.close();
  }

  /** Tells everybody who listens, us too. @returns false if that has to go another way */
  async announce(payloads: readonly string[]): Promise<boolean> {
    const kept = this.#kept;
    if (kept === null) return false;
    try {
      await this.#query(
        kept,
        'SELECT wherry.announce(payload) FROM unnest($1::text[]) AS payload',
        [payloads],
      );
      return true;
    } catch {
      this.#lose(kept);
      return false;
    }
  }

  async #connect(): Promise<void> {
    let kept: KeptClient | null = null;
    try {
      kept = await this.#connection.keepClient();
      const present = kept;
      present.client.on('error', () => this.#lose(present));
      present.client.on('end', () => this.#lose(present));
      present.client.on('notification', (message) => this.#hear(present, message));
      if (this.#isStopped) {
        await kept.close();
        return;
      }
      this.#kept = kept;
      this.#last = Promise.resolve();
      const { schema } = this.#connection;
      await this.#query(kept, `LISTEN ${quoted(channelOf(schema))}`);
      await this.#query(
        kept,
        `SELECT pg_advisory_lock_shared(${LOCK_CLASS}, hashtext($1) & 2147483647)`,
        [schema],
      );
      await this.#query(kept, "SELECT wherry.announce('hello')");
      await this.#beat(kept);
      this.#wait = RECONNECT_MS;
      this.#events.connected();
    } catch {
      if (kept === null) this.#retry();
      else this.#lose(kept);
    }
  }

  async #beat(kept: KeptClient): Promise<void> {
    const rows = await this.#query(kept, COUNT_LISTENERS, [this.#connection.schema]);
    const [{ listeners }] = rows as [{ listeners: number }];
    this.#events.counted(listeners - 1);
    this.#cancelTimer = after(HEARTBEAT_MS, () => {
      this.#beat(kept).catch(() => this.#lose(kept));
    });
  }

  #hear({ client }: KeptClient, { channel, payload = '', processId }: Notification): void {
    if (this.#kept?.client !== client || channel !== channelOf(this.#connection.schema)) return;
    this.#events.heard(payload, processId === (client as ClientFacts).processID);
  }

  /** The connection is of no more use. */
  #lose(kept: KeptClient): void {
    if (this.#kept !== kept) return;
    this.#kept = null;
    this.#cancelTimer();
    kept.close().catch(() => undefined);
    this.#retry();
  }

  #retry(): void {
    if (this.#isStopped) return;
    this.#cancelTimer = after(this.#wait, () => void this.#connect());
    this.#wait = Math.min(2 * this.#wait, RECONNECT_MAX_MS);
  }

  /** One at a time: a client of pg has no queue of its own any more. */
  async #query(
    kept: KeptClient,
    text: string,
    values: unknown[] = [],
  ): Promise<readonly unknown[]> {
    const sql = inSchema(text, this.#connection.schema);
    const statement = { text: sql, values, types: TYPES };
    const answer = this.#last.then(() => kept.client.query(statement));
    this.#last = answer.catch(() => undefined);
    return rowsOf(await withLimit(answer, HEARTBEAT_LIMIT_MS));
  }
}

/** As sql/announce.sql writes it. */
function channelOf(schema: string): string {
  return inSchema('wherry.news', schema);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
