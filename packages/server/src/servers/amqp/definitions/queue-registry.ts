import { randomBytes } from 'node:crypto';
import {
  type BrokerPort,
  type MessageQueueSystem,
  type Queue,
  QueueExistsError,
  QueueNotEmptyError,
  type TopologyChange,
} from 'wherry';
import type { Table } from '../../../protocols/amqp/table.ts';
import type { DefinitionLimits } from '../../../vhosts/definition-limits.ts';
import { requireEqual, requireEqualArguments } from './equivalence.ts';
import { ExclusiveQueues } from './exclusive-queues.ts';
import {
  checkQueueArguments,
  comparedArguments,
  type DeclaredProperties,
  queueSettingsOf,
} from './queue-arguments.ts';
import type { SharedConsumers } from '../peers/shared-consumers.ts';
import type { LocalConsumers, SharedQueue } from '../peers/shared-queue.ts';
import { type ConsumerRequest, type ConsumerSeat, QueueConsumers } from './queue-consumers.ts';
import { queueAttributes, queueTraits } from './queue-traits.ts';
import {
  amqpError,
  inExclusiveUse,
  isNotFound,
  notFound,
  preconditionFailed,
  resourceLocked,
  resourceText,
} from './refuse.ts';

export type { ConsumerRequest, ConsumerSeat } from './queue-consumers.ts';

/** What a queue.declare asks for. */
export interface QueueDeclaration extends DeclaredProperties {
  readonly name: string;
  readonly arguments: Table;
  readonly connectionId: string;
  /** Is called before the queue is made, and throws what forbids that. */
  readonly authorize?: () => void;
}

/** What a queue.declare-ok tells. */
export interface DeclaredQueue {
  readonly queue: string;
  /** Ready to be delivered. */
  readonly messageCount: number;
  readonly consumerCount: number;
}

export interface QueueRegistryParts {
  readonly vhost: string;
  readonly mq: MessageQueueSystem;
  readonly port: BrokerPort;
  readonly limits: DefinitionLimits;
  /** Tells this broker from others on its store, which have connections of the same ids. */
  readonly instance: string;
  /** Null, or left out: no other broker has the store. */
  readonly shared?: SharedConsumers | null;
  /** Is told what went wrong where nobody waits for it. */
  readonly onError: (error: unknown) => void;
}

/** What this broker's clients have to do with a queue. */
interface QueueUse {
  /** Of its incarnation. */
  readonly number: number;
  readonly consumers: QueueConsumers;
  /** Null: no other broker can have consumers of it. */
  readonly shared: SharedQueue | null;
  readonly whenDeleted: Set<() => void>;
}

/** A queue that goes and comes as fast as it is declared is somebody's mistake. */
const DECLARE_TRIES = 20;

/** The queues of a virtual host, by AMQP's rules of who may use them and when they go. */
export class QueueRegistry {
  readonly #parts: QueueRegistryParts;
  readonly #uses = new Map<string, QueueUse>();
  readonly #exclusive = new ExclusiveQueues();
  /** Queues on their way out: to clients they are gone. */
  readonly #deleting = new Map<string, Promise<number>>();
  readonly #stop: readonly (() => void)[];

  constructor(parts: QueueRegistryParts) {
    this.#parts = parts;
    const { port } = parts;
    this.#stop = [
      port.watch((change) => this.#follow(change)),
      port.countConsumersWith((name) => this.#uses.get(name)?.consumers.size ?? 0),
    ];
  }

  /**
   * Makes a queue, or finds the one that is there.
   * @throws AmqpError 405 when it is another connection's, 406 when it is another, or wrong
   */
  async declare(declaration: QueueDeclaration): Promise<DeclaredQueue> {
    const { name, connectionId, exclusive } = declaration;
    const declaring = this.#declare(declaration);
    return exclusive ? this.#exclusive.add(connectionId, name, declaring) : declaring;
  }

  /** @throws AmqpError 404, 405 */
  async declarePassive(name: string, connectionId: string): Promise<DeclaredQueue> {
    this.check(name, connectionId);
    // To ask for it is to use it, by which one that expires lives on.
    this.#parts.port.touch(name);
    return this.#describe(name);
  }

  /** @throws AmqpError 404 when there is none, 405 when it is another connection's */
  check(name: string, connectionId: string): Queue {
    const queue = this.#find(name);
    if (queue === undefined) throw notFound('queue', name, this.#parts.vhost);
    const { owner } = queueTraits(queue);
    if (owner !== null && owner !== this.#ownerOf(connectionId))
      throw resourceLocked(name, this.#parts.vhost);
    return queue;
  }

  /**
   * Deletes a queue, which need not be there.
   * @returns how many messages it had ready
   * @throws AmqpError 405, 406 when it is in use or not empty and must not be
   */
  async delete(
    name: string,
    {
      connectionId,
      ifUnused,
      ifEmpty,
    }: { readonly connectionId: string; readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): Promise<number> {
    if (this.#find(name) === undefined) {
      await this.#deleted(name);
      return 0;
    }
    const what = resourceText('queue', name, this.#parts.vhost);
    this.check(name, connectionId);
    const { messageCount, consumerCount } = await this.#describe(name);
    if (ifEmpty && messageCount > 0) throw preconditionFailed(`${what} not empty`);
    const isElsewhere = this.#uses.get(name)?.shared?.isElsewhere === true;
    if (ifUnused && (consumerCount > 0 || isElsewhere)) throw preconditionFailed(`${what} in use`);
    return this.#delete(name, messageCount, ifEmpty);
  }

  /** @returns how many messages went @throws AmqpError 404, 405 */
  async purge(name: string, connectionId: string): Promise<number> {
    this.check(name, connectionId);
    try {
      return await this.#parts.mq.purgeQueue(name);
    } catch (error) {
      throw this.#amqpError(error, name);
    }
  }

  /** @throws AmqpError 404, 405; 403 when it would have to be alone, or another is; StorageError */
  async addConsumer(name: string, request: ConsumerRequest): Promise<ConsumerSeat> {
    const queue = this.check(name, request.connectionId);
    const seat = await this.#useOf(queue).consumers.add(request);
    if (seat === 'taken') throw inExclusiveUse(name, this.#parts.vhost);
    if (seat === 'gone') throw notFound('queue', name, this.#parts.vhost);
    return seat;
  }

  /** Of this broker, oldest first. */
  consumers(name: string): readonly ConsumerSeat[] {
    return this.#uses.get(name)?.consumers.list() ?? [];
  }

  /** Calls back once, when the queue has been deleted, by whomever. @returns how to stop */
  whenDeleted(name: string, listener: () => void): () => void {
    const queue = this.#parts.port.findQueue(name);
    if (queue === undefined) {
      queueMicrotask(listener);
      return () => {};
    }
    const { whenDeleted } = this.#useOf(queue);
    whenDeleted.add(listener);
    return () => whenDeleted.delete(listener);
  }

  /** Deletes queues of connections that are gone. Never rejects. */
  async discardAll(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#discard(name)));
  }

  /** The connection has ended: its exclusive queues go. Never rejects. */
  async connectionClosed(connectionId: string): Promise<void> {
    const names = await this.#exclusive.closed(connectionId);
    const owner = this.#ownerOf(connectionId);
    const left = names.filter((name) => {
      const queue = this.#find(name);
      return queue !== undefined && queueTraits(queue).owner === owner;
    });
    await this.discardAll(left);
  }

  close(): void {
    for (const stop of this.#stop) stop();
  }

  async #declare(declaration: QueueDeclaration): Promise<DeclaredQueue> {
    const { limits, mq, port, vhost } = this.#parts;
    const { name, connectionId, exclusive, arguments: table } = declaration;
    const what = resourceText('queue', name, vhost);
    // As with RabbitMQ, no exclusive queue is durable: it goes with its connection.
    const properties = { ...declaration, durable: declaration.durable && !exclusive };
    const owner = exclusive ? this.#ownerOf(connectionId) : null;
    for (let tries = 0; tries < DECLARE_TRIES; tries++) {
      await this.#deleted(name);
      const present = port.findQueue(name);
      if (present !== undefined) {
        this.#requireEqual(present, properties, owner);
        port.touch(name);
        return this.#describe(name);
      }
      declaration.authorize?.();
      checkQueueArguments(table, declaration, what);
      const settings = {
        ...queueSettingsOf(table),
        // Where several brokers share a store, none of them can hold a queue in its memory.
        durable: properties.durable || port.supports.shared,
      };
      const attributes = queueAttributes(properties, table, owner);
      try {
        limits.take('queues');
        await mq.createQueue({ name, ...settings, attributes });
      } catch (error) {
        // Another client was faster: its queue is held against this declaration.
        if (!(error instanceof QueueExistsError)) throw this.#amqpError(error, name);
      }
    }
    throw preconditionFailed(`${what} keeps being deleted`);
  }

  #requireEqual(queue: Queue, declared: QueueDeclaration, owner: string | null): void {
    const { vhost } = this.#parts;
    const traits = queueTraits(queue);
    const what = resourceText('queue', queue.name, vhost);
    if (traits.owner !== owner) throw resourceLocked(queue.name, vhost);
    requireEqual('durable', declared.durable, traits.durable, what);
    requireEqual('auto_delete', declared.autoDelete, traits.autoDelete, what);
    const keys = comparedArguments(declared.arguments, traits.arguments);
    requireEqualArguments(keys, declared.arguments, traits.arguments, what);
  }

  async #describe(name: string): Promise<DeclaredQueue> {
    try {
      const { ready, consumerCount } = await this.#parts.mq.getQueueInfo(name);
      return { queue: name, messageCount: ready, consumerCount };
    } catch (error) {
      throw this.#amqpError(error, name);
    }
  }

  /** As whose the connection's queues are stored. */
  #ownerOf(connectionId: string): string {
    return `${this.#parts.instance}/${connectionId}`;
  }

  #find(name: string): Queue | undefined {
    return this.#deleting.has(name) ? undefined : this.#parts.port.findQueue(name);
  }

  /** Waits for what is being deleted under this name. Never rejects. */
  async #deleted(name: string): Promise<void> {
    await this.#deleting.get(name)?.catch(() => undefined);
  }

  #delete(name: string, messageCount: number, ifEmpty: boolean): Promise<number> {
    let deleting = this.#deleting.get(name);
    if (deleting === undefined) {
      deleting = this.#deleteNow(name, messageCount, ifEmpty).finally(() => {
        this.#deleting.delete(name);
      });
      this.#deleting.set(name, deleting);
    }
    return deleting;
  }

  async #deleteNow(name: string, messageCount: number, ifEmpty: boolean): Promise<number> {
    const { mq, vhost } = this.#parts;
    try {
      // What consumers have in hand does not count; what has come since it was looked at does.
      const force = !ifEmpty || (await mq.getQueueInfo(name)).leased > 0;
      await mq.deleteQueue(name, { force });
      return messageCount;
    } catch (error) {
      if (isNotFound(error)) return 0;
      if (error instanceof QueueNotEmptyError) {
        throw preconditionFailed(`${resourceText('queue', name, vhost)} not empty`);
      }
      throw error;
    }
  }

  /** Deletes a queue that nobody asked to delete. */
  async #discard(name: string): Promise<void> {
    if (this.#find(name) === undefined) return;
    try {
      await this.#delete(name, 0, false);
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  #useOf(queue: Queue): QueueUse {
    const present = this.#uses.get(queue.name);
    if (present?.number === queue.number) return present;
    const traits = queueTraits(queue);
    const onEmpty = async (): Promise<void> => {
      if (traits.autoDelete) await this.#discard(queue.name);
    };
    const whenDeleted: QueueUse['whenDeleted'] = new Set();
    let others: SharedQueue | null = null;
    const shared = (local: LocalConsumers): SharedQueue | null =>
      (others = this.#parts.shared?.of(queue, local) ?? null);
    const onEvicted = (): void => tellAll(whenDeleted);
    const consumers = new QueueConsumers({ traits, onEmpty, shared, onEvicted });
    const use: QueueUse = { number: queue.number, consumers, shared: others, whenDeleted };
    this.#uses.set(queue.name, use);
    return use;
  }

  #follow(change: TopologyChange): void {
    const { kind, name } = change.type === 'put' ? change.entry : change;
    if (kind !== 'queue') return;
    const use = this.#uses.get(name);
    // One that was made anew while nobody looked is another.
    const isThere = change.type === 'put' && change.entry.number === use?.number;
    if (change.type === 'removed') this.#exclusive.remove(name);
    if (use === undefined || isThere) return;
    this.#uses.delete(name);
    use.consumers.clear();
    this.#parts.shared?.removed(name);
    tellAll(use.whenDeleted);
  }

  #amqpError(error: unknown, name: string): unknown {
    return amqpError(error, { kind: 'queue', name, vhost: this.#parts.vhost });
  }
}

/** Each is told once. */
function tellAll(listeners: Set<() => void>): void {
  const told = [...listeners];
  listeners.clear();
  for (const listener of told) listener();
}

/** Of a queue whose client leaves the name to the server. */
export function serverName(): string {
  return `amq.gen-${randomBytes(16).toString('base64url')}`;
}
