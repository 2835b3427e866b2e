import type * as contract from '../../core/driver.ts';
import { browse, getMessage } from './browse.ts';
import { Connection } from './connection.ts';
import type { DataContext } from './context.ts';
import { counts } from './counts.ts';
import { deleteQueue } from './delete-queue.ts';
import { extend, release, settle } from './ends.ts';
import { applyMigrations, requireMigrations } from './migrations.ts';
import { move } from './move.ts';
import { PostgresNotifier } from './notifier.ts';
import { type PostgresDriverOptions, type PostgresSettings, readOptions } from './options.ts';
import { publish } from './publish.ts';
import { purge } from './purge.ts';
import { durabilityOf, warnOfLoss } from './server-facts.ts';
import { sweep } from './sweep.ts';
import { take } from './take.ts';
import { PostgresTopology } from './topology.ts';

/** Queues in a PostgreSQL database, which many processes share. */
export class PostgresDriver implements contract.Driver {
  readonly name = 'postgres';
  readonly topology: PostgresTopology;
  readonly notifier: PostgresNotifier;
  readonly #settings: PostgresSettings;
  readonly #connection: Connection;
  readonly #context: DataContext;
  /** Calls go over several connections: those of groups follow each other, or they could overtake. */
  #groupedBefore: Promise<unknown> = Promise.resolve();
  #state: 'new' | 'open' | 'closed' = 'new';

  /** @throws ValidationError when an option is wrong */
  constructor(options: PostgresDriverOptions) {
    this.#settings = readOptions(options);
    this.#connection = new Connection(this.#settings);
    this.topology = new PostgresTopology(this.#connection);
    this.notifier = new PostgresNotifier({
      connection: this.#connection,
      // What cannot be read now is read when the next thing happens, or at the next look.
      topologyChanged: () => void this.topology.catchUp().catch(() => undefined),
    });
    this.#context = { database: this.#connection, notifier: this.notifier };
  }

  /** How durable it is, the server says when the store is opened. */
  get supports(): contract.Capabilities {
    return {
      durability: this.#state === 'open' ? durabilityOf(this.#connection.server) : 'power',
      shared: true,
      atomicFanOut: true,
      atomicBatch: true,
      transactions: true,
      partitions: 'a PostgreSQL database is one place: it has no cluster to spread a queue over',
    };
  }

  async now(): Promise<number> {
    const [row] = await this.#connection.call<{ now: number }>(
      'now',
      [this.#connection.clockTime()],
      { repeatable: true },
    );
    return row!.now;
  }

  async open(): Promise<void> {
    if (this.#state === 'open') return;
    const connection = this.#connection;
    const { migrate, listen } = this.#settings;
    await connection.open();
    try {
      warnOfLoss(connection.server);
      await (migrate ? applyMigrations(connection) : requireMigrations(connection));
      await connection.readSalt();
      await this.topology.start();
      await this.notifier.start(listen ?? !connection.isShared);
    } catch (error) {
      await this.notifier.stop();
      await connection.close();
      throw error;
    }
    this.#state = 'open';
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    await this.notifier.stop();
    await this.#connection.close();
  }

  publish(
    items: readonly contract.PublishItem[],
    options: contract.PublishOptions = {},
  ): Promise<readonly contract.PublishOutcome[]> {
    const isGrouped = items.some(({ message }) => message.groupId !== null);
    if (!isGrouped || options.transaction !== undefined) {
      return publish(this.#context, items, options);
    }
    const sent = this.#groupedBefore.then(() => publish(this.#context, items, options));
    this.#groupedBefore = sent.catch(() => undefined);
    return sent;
  }

  take(request: contract.TakeRequest): Promise<contract.TakeResult> {
    return take(this.#context, request);
  }

  settle(
    receipts: readonly contract.Receipt[],
    options: contract.SettleOptions = {},
  ): Promise<contract.LostIndexes> {
    return settle(this.#context, receipts, options);
  }

  release(items: readonly contract.ReleaseItem[]): Promise<contract.LostIndexes> {
    return release(this.#context, items);
  }

  move(items: readonly contract.MoveItem[]): Promise<readonly contract.MoveOutcome[]> {
    return move(this.#context, items);
  }

  extend(items: readonly contract.ExtendItem[]): Promise<contract.LostIndexes> {
    return extend(this.#context, items);
  }

  sweep(max: number): Promise<contract.SweepResult> {
    return sweep(this.#context, max);
  }

  browse(request: contract.BrowseRequest): Promise<contract.BrowsePage> {
    return browse(this.#context, request);
  }

  get(id: string): Promise<contract.StoredMessage | null> {
    return getMessage(this.#context, id);
  }

  counts(queue: contract.QueueRef): Promise<contract.QueueCounts> {
    return counts(this.#context, queue);
  }

  purge(queue: contract.QueueRef): Promise<number> {
    return purge(this.#context, queue);
  }

  async deleteQueue(
    queue: contract.QueueRef,
    options: { readonly onlyIfEmpty: boolean },
  ): Promise<{ readonly deleted: boolean; readonly messages: number }> {
    const answer = await deleteQueue(this.#context, queue, options);
    // It is deleted; watchers who could not be told now are told with the next change.
    if (answer.deleted) await this.topology.catchUp().catch(() => undefined);
    return answer;
  }
}
