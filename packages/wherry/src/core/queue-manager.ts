import { entryName } from './exchange-manager.ts';
import type { Driver } from './driver.ts';
import {
  QueueExistsError,
  QueueNotEmptyError,
  QueueNotFoundError,
  ValidationError,
} from './errors.ts';
import type { Activity, Events } from './events.ts';
import { checkName, show } from './limits.ts';
import type { Attributes, PayloadSchema, Queue, QueueDocument } from './queue.ts';
import {
  type QueueSettings,
  type QueueSettingsInput,
  differingSettings,
  mergeQueueSettings,
} from './queue-settings.ts';
import { requireSupport } from './support.ts';
import type { Topology } from './topology.ts';

/** What `createQueue` takes: a name, and any of the settings. */
export interface QueueConfig<T = unknown, Input = unknown> extends QueueSettingsInput {
  readonly name: string;
  /** Types the queue's payloads, and is held against each at send and at delivery. Not stored. */
  readonly schema?: PayloadSchema<T, Input>;
  /** What a protocol remembers of a declaration, as JSON; it stays as it is as long as the queue. */
  readonly attributes?: Attributes | null;
}

/** A queue's settings, exact counts, and what went on since this process opened the store. */
export interface QueueInfo extends Activity {
  readonly name: string;
  readonly settings: QueueSettings;
  readonly createdAt: Date;
  /** Messages in all states. */
  readonly messageCount: number;
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  /** Messages that came since the queue was made, sent or moved, from all processes. */
  readonly arrived: number;
  /** How long the longest-waiting ready message has been stored, in milliseconds. */
  readonly oldestAge: number | null;
  /** Consumers of this process. */
  readonly consumerCount: number;
  readonly maxSize: number | null;
}

/** Creates, changes, describes and deletes queues. */
export class QueueManager {
  readonly #driver: Driver;
  readonly #topology: Topology;
  readonly #events: Events;
  readonly #now: () => number;
  readonly #schemas = new Map<string, PayloadSchema>();
  readonly #countConsumers = new Set<(queueName: string) => number>();

  constructor(driver: Driver, topology: Topology, events: Events, now: () => number) {
    this.#driver = driver;
    this.#topology = topology;
    this.#events = events;
    this.#now = now;
  }

  /** Creates what the configuration names. */
  async initialize(configs: readonly QueueConfig[]): Promise<void> {
    for (const config of configs) await this.createQueue(config);
  }

  hasQueue(name: string): boolean {
    return this.#topology.findQueue(name) !== undefined;
  }

  /**
   * Looks which queues, exchanges and bindings the store has. It tells of changes by itself, a moment
   * later: this is for whoever cannot wait. @throws StorageError
   */
  refresh(): Promise<void> {
    return this.#topology.refresh();
  }

  /** Asks this, too, how many consumers a queue has. @returns how to stop */
  countConsumersWith(count: (queueName: string) => number): () => void {
    this.#countConsumers.add(count);
    return () => this.#countConsumers.delete(count);
  }

  /** Consumers of this process. */
  consumerCount(queueName: string): number {
    let total = 0;
    for (const count of this.#countConsumers) total += count(queueName);
    return total;
  }

  /**
   * Creates a queue. Creating it again with equal settings answers the one that is there.
   * @throws ValidationError when the name or a setting is wrong
   * @throws UnsupportedError when it asks for partitions and the store has none
   * @throws QueueExistsError when it exists with other settings
   */
  async createQueue<T = unknown, Input = T>(
    config: QueueConfig<T, Input>,
  ): Promise<Queue<T, Input>> {
    if (typeof config !== 'object' || config === null) {
      throw new ValidationError(`A queue's configuration is an object; got ${show(config)}.`);
    }
    const { name, schema, attributes = null, ...input } = config;
    checkName(name, 'The queue name');
    const settings = mergeQueueSettings(input);
    this.#checkPartitions(settings);
    this.#checkDeadLetters(name, settings);
    const document: QueueDocument = { settings, createdAt: this.#now(), attributes };
    await this.#topology.put('queue', name, (present) => {
      if (present === undefined) return document;
      const other = mergeQueueSettings((present.value as QueueDocument).settings);
      const differing = differingSettings(settings, other);
      if (differing.length > 0) throw new QueueExistsError('Queue', name, differing);
      return null;
    });
    if (schema !== undefined) this.#schemas.set(name, schema);
    return this.#topology.queue(name) as Queue<T, Input>;
  }

  /**
   * Changes settings of a queue. They rule what is sent from then on; shrinking drops nothing.
   * @throws QueueNotFoundError
   * @throws ValidationError when a setting is wrong, or cannot be changed (`durable`, `partitions`)
   */
  async updateQueue(name: string, changes: QueueSettingsInput): Promise<Queue> {
    await this.#topology.put('queue', name, (present) => {
      if (present === undefined) throw new QueueNotFoundError(name);
      const document = present.value as QueueDocument;
      const settings = mergeQueueSettings(changes, document.settings);
      if (settings.durable !== document.settings.durable) {
        throw new ValidationError(
          `durable of queue '${name}' cannot be changed: its messages are where they are. ` +
            'Create another queue and move them with a redrive.',
        );
      }
      if (settings.partitions !== (document.settings.partitions ?? 1)) {
        throw new ValidationError(
          `partitions of queue '${name}' cannot be changed: its messages are spread as they are. ` +
            'Create another queue and move them with a redrive.',
        );
      }
      this.#checkDeadLetters(name, settings);
      return { ...document, settings };
    });
    return this.#topology.queue(name);
  }

  /** @throws QueueNotFoundError */
  validateQueue(name: string): Queue {
    return this.#topology.queue(name);
  }

  schemaOf(name: string): PayloadSchema | undefined {
    return this.#schemas.get(name);
  }

  listQueues(): Queue[] {
    return this.#topology.queues().toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * How long messages waited until they were handed out for the first time, by this process or to those
   * that it serves, since it was opened.
   * @returns how many of each length: give it, or the difference of two, to `waitQuantile`
   * @throws QueueNotFoundError
   */
  waits(name: string): Float64Array {
    return this.#events.waits(this.#topology.queue(name).name).counts();
  }

  /** Exact, and as cheap for a million messages as for one. @throws QueueNotFoundError */
  async getQueueInfo(name: string): Promise<QueueInfo> {
    const queue = this.#topology.queue(name);
    const counts = await this.#driver.counts(this.#topology.ref(name));
    const { ready, scheduled, leased, bytes, arrived, oldestTimestamp } = counts;
    return {
      name,
      settings: queue.settings,
      createdAt: queue.createdAt,
      messageCount: ready + scheduled + leased,
      ready,
      scheduled,
      leased,
      bytes,
      arrived,
      oldestAge: oldestTimestamp === null ? null : Math.max(0, this.#now() - oldestTimestamp),
      consumerCount: this.consumerCount(name),
      maxSize: queue.settings.maxSize,
      ...this.#events.activity(name),
    };
  }

  /** Removes what is ready or scheduled; what is leased stays. @returns how many */
  async purgeQueue(name: string): Promise<number> {
    return this.#driver.purge(this.#topology.ref(name));
  }

  /**
   * Deletes a queue with its bindings.
   * @param options.force with its messages too; their leases are void
   * @returns how many messages went with it
   * @throws QueueNotFoundError
   * @throws QueueNotEmptyError when it holds messages and `force` is not given
   */
  async deleteQueue(name: string, options: { readonly force?: boolean } = {}): Promise<number> {
    const ref = this.#topology.ref(name);
    // Before it is gone: who is told of that forgets them.
    const bindings = this.#topology.bindingsTo(name);
    const result = await this.#driver.deleteQueue(ref, { onlyIfEmpty: options.force !== true });
    if (!result.deleted) throw new QueueNotEmptyError(name, result.messages);
    this.#topology.forget('queue', name);
    for (const binding of bindings) await this.#topology.remove('binding', entryName(binding));
    this.#schemas.delete(name);
    this.#events.forget(name);
    return result.messages;
  }

  /** @throws UnsupportedError where the store is one place */
  #checkPartitions({ partitions }: QueueSettings): void {
    if (partitions > 1) requireSupport(this.#driver, 'partitions', 'a queue with partitions');
  }

  /** Following the dead-letter queues from here must come to an end: so no message can go round. */
  #checkDeadLetters(name: string, settings: QueueSettings): void {
    const path = [name];
    let next = settings.deadLetterQueue;
    while (next !== null) {
      path.push(next);
      if (next === name) {
        throw new ValidationError(
          `deadLetterQueue makes a circle: ${path.join(' -> ')}. Dead letters must come to rest somewhere.`,
        );
      }
      next = this.#topology.findQueue(next)?.settings.deadLetterQueue ?? null;
      if (next !== null && path.includes(next) && next !== name) return;
    }
  }
}
