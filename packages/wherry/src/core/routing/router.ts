import { isDeepStrictEqual } from 'node:util';
import {
  ExchangeNotFoundError,
  type MessageQueueError,
  QueueExistsError,
  QueueNotFoundError,
  ValidationError,
} from '../errors.ts';
import type { Headers } from '../message.ts';
import { type BindingTable, createBindingTable } from './binding-table.ts';
import {
  type Binding,
  type BindingConfig,
  bindingKey,
  checkRoutingKey,
  DEFAULT_EXCHANGE,
  type Destination,
  type Exchange,
  type ExchangeConfig,
  parseBinding,
  parseExchange,
} from './exchange.ts';
import { RouteCache, type RouteResult } from './route-cache.ts';

export type { RouteResult } from './route-cache.ts';

export interface RouterOptions {
  readonly exchanges?: readonly ExchangeConfig[];
  readonly bindings?: readonly BindingConfig[];
  /** Tells which queues exist now. When one goes, call {@link Router.removeQueue} too. */
  readonly hasQueue: (name: string) => boolean;
}

/** Which bindings to list: those for which every field given here is equal. */
export interface BindingFilter {
  readonly exchange?: string;
  readonly queue?: string;
}

interface ExchangeNode {
  readonly exchange: Exchange;
  readonly table: BindingTable;
  readonly outgoing: Set<Binding>;
  /** The last walk that came through here. */
  walk: number;
}

interface Walk {
  readonly queues: string[];
  /** Whether the message's headers had a say in it. */
  readonly byHeaders: boolean;
}

/** The exchanges and bindings of a system, and where a message published to one of them goes. */
export class Router {
  /**
   * Bindings given to the constructor with an end that does not exist: the queue's or exchange's
   * removal was cut short. They are left out; whoever stored them may remove them.
   */
  readonly orphans: readonly Binding[];
  readonly #hasQueue: (name: string) => boolean;
  readonly #exchanges = new Map<string, ExchangeNode>();
  readonly #bindings = new Map<string, Binding>();
  readonly #incoming = new Map<string, Set<Binding>>();
  readonly #cache = new RouteCache();
  /** By queue: what the default exchange answers, as long as the queue is there. */
  readonly #direct = new Map<string, RouteResult>();
  #walks = 0;

  /** @throws ValidationError when an exchange or a binding is not valid */
  constructor({ exchanges = [], bindings = [], hasQueue }: RouterOptions) {
    this.#hasQueue = hasQueue;
    for (const exchange of exchanges) this.addExchange(exchange);
    this.orphans = bindings.map(parseBinding).filter((binding) => {
      const isOrphan = this.#missingEnd(binding) !== null;
      if (!isOrphan) this.addBinding(binding);
      return isOrphan;
    });
  }

  /**
   * @returns whether it was added: false when it is there with equal settings
   * @throws ValidationError, or QueueExistsError when it is there with other settings
   */
  addExchange(config: ExchangeConfig): boolean {
    const exchange = parseExchange(config);
    const present = this.#exchanges.get(exchange.name)?.exchange;
    if (present !== undefined) {
      const differing = differences(present, exchange);
      if (differing.length === 0) return false;
      throw new QueueExistsError('Exchange', exchange.name, differing);
    }
    const table = createBindingTable(exchange.type);
    this.#exchanges.set(exchange.name, { exchange, table, outgoing: new Set(), walk: 0 });
    this.#cache.clear();
    return true;
  }

  /**
   * Removes an exchange with the bindings from and to it. Exchanges that name it as their
   * alternate go on without one. Does nothing when there is no such exchange.
   * @returns the bindings that went with it
   */
  removeExchange(name: string): readonly Binding[] {
    const node = this.#exchanges.get(name);
    if (node === undefined) return [];
    const gone = new Set([...node.outgoing, ...this.#bindingsTo({ type: 'exchange', name })]);
    for (const binding of gone) this.#unlink(binding);
    this.#exchanges.delete(name);
    this.#cache.clear();
    return [...gone];
  }

  /**
   * @returns whether it was added: false when an equal binding is there
   * @throws ValidationError, or ExchangeNotFoundError or QueueNotFoundError when an end is missing
   */
  addBinding(config: BindingConfig): boolean {
    const binding = parseBinding(config);
    const missing = this.#missingEnd(binding);
    if (missing !== null) throw missing;
    const key = bindingKey(binding);
    if (this.#bindings.has(key)) return false;
    this.#bindings.set(key, binding);
    const source = this.#exchanges.get(binding.exchange)!;
    source.table.add(binding);
    source.outgoing.add(binding);
    const destination = destinationKey(binding.destination);
    const incoming = this.#incoming.get(destination);
    if (incoming === undefined) this.#incoming.set(destination, new Set([binding]));
    else incoming.add(binding);
    this.#cache.clear();
    return true;
  }

  /**
   * @returns whether it was removed: false when there is no such binding
   * @throws ValidationError
   */
  removeBinding(config: BindingConfig): boolean {
    const binding = this.#bindings.get(bindingKey(parseBinding(config)));
    if (binding === undefined) return false;
    this.#unlink(binding);
    return true;
  }

  /** @returns the bindings to the queue, which went with it */
  removeQueue(name: string): readonly Binding[] {
    this.#direct.delete(name);
    const gone = this.#bindingsTo({ type: 'queue', name });
    for (const binding of gone) this.#unlink(binding);
    return gone;
  }

  getExchange(name: string): Exchange | undefined {
    return this.#exchanges.get(name)?.exchange;
  }

  listExchanges(): Exchange[] {
    return Array.from(this.#exchanges.values(), (node) => node.exchange);
  }

  /** In order of creation. The filter costs what it finds, unless it is empty. */
  listBindings({ exchange, queue }: BindingFilter = {}): Binding[] {
    if (queue !== undefined) {
      const found = this.#bindingsTo({ type: 'queue', name: queue });
      return found.filter((binding) => exchange === undefined || binding.exchange === exchange);
    }
    if (exchange !== undefined) return [...(this.#exchanges.get(exchange)?.outgoing ?? [])];
    return [...this.#bindings.values()];
  }

  /**
   * Says which queues a message reaches. An exchange hands it to everything bound that it
   * matches, exchanges included, and when it matches no binding, to its alternate exchange. As in
   * RabbitMQ, a binding to an exchange is a match even if nothing comes of it there. Each exchange
   * is gone through once, so a circle of bindings or alternates ends.
   * @param exchange `''` for the default exchange
   * @param headers the message's headers, which headers exchanges look at
   * @throws ExchangeNotFoundError
   * @throws ValidationError when the exchange is internal, or the routing key too long
   */
  route(exchange: string, routingKey: string, headers: Headers | null = null): RouteResult {
    const known = this.#cache.get(exchange, routingKey);
    if (known !== undefined) return known;
    checkRoutingKey(routingKey);
    if (exchange === DEFAULT_EXCHANGE) {
      return this.#hasQueue(routingKey) ? this.#toQueue(routingKey) : NOWHERE;
    }
    this.#requirePublic(exchange);
    const { queues, byHeaders } = this.#walk(exchange, [routingKey], headers);
    const result = resultOf(queues);
    if (!byHeaders) this.#cache.offer(exchange, routingKey, result);
    return result;
  }

  /**
   * As {@link route}, for a message with several routing keys: every exchange that it reaches looks
   * at all of them.
   * @throws ExchangeNotFoundError
   * @throws ValidationError when the exchange is internal, or a routing key too long
   */
  routeByAll(
    exchange: string,
    routingKeys: readonly string[],
    headers: Headers | null,
  ): RouteResult {
    if (routingKeys.length === 1) return this.route(exchange, routingKeys[0]!, headers);
    for (const key of routingKeys) checkRoutingKey(key);
    this.#requirePublic(exchange);
    return this.routeWithin(exchange, routingKeys, headers);
  }

  /**
   * As {@link routeByAll}, for messages that the system itself sends on: they may go to an exchange
   * that is internal.
   * @throws ExchangeNotFoundError
   */
  routeWithin(
    exchange: string,
    routingKeys: readonly string[],
    headers: Headers | null,
  ): RouteResult {
    return exchange === DEFAULT_EXCHANGE
      ? resultOf([...new Set(routingKeys.filter(this.#hasQueue))])
      : resultOf(this.#walk(exchange, routingKeys, headers).queues);
  }

  /** @throws ValidationError */
  #requirePublic(exchange: string): void {
    if (this.#exchanges.get(exchange)?.exchange.internal !== true) return;
    throw new ValidationError(
      `Exchange '${exchange}' is internal: only other exchanges route to it. ` +
        'Publish to an exchange that is bound to it, or create it without internal.',
    );
  }

  #toQueue(name: string): RouteResult {
    let result = this.#direct.get(name);
    if (result === undefined) this.#direct.set(name, (result = resultOf([name])));
    return result;
  }

  /** Goes through the exchange, then through whatever exchange each one reaches, each once. */
  #walk(exchange: string, routingKeys: readonly string[], headers: Headers | null): Walk {
    const start = this.#exchanges.get(exchange);
    if (start === undefined) throw new ExchangeNotFoundError(exchange);
    const queues = new Set<string>();
    const reached: ExchangeNode[] = [];
    let byHeaders = false;
    this.#walks++;
    this.#reach(start, reached);
    for (const { exchange: at, table } of reached) {
      byHeaders ||= at.type === 'headers';
      let matched = false;
      for (const routingKey of routingKeys) {
        for (const { destination } of table.match(routingKey, headers)) {
          matched = true;
          if (destination.type === 'queue') queues.add(destination.name);
          else this.#reach(this.#exchanges.get(destination.name), reached);
        }
      }
      if (!matched && at.alternateExchange !== null) {
        this.#reach(this.#exchanges.get(at.alternateExchange), reached);
      }
    }
    return { queues: [...queues], byHeaders };
  }

  #reach(node: ExchangeNode | undefined, reached: ExchangeNode[]): void {
    if (node === undefined || node.walk === this.#walks) return;
    node.walk = this.#walks;
    reached.push(node);
  }

  #missingEnd({ exchange, destination }: Binding): MessageQueueError | null {
    if (!this.#exchanges.has(exchange)) return new ExchangeNotFoundError(exchange);
    const { type, name } = destination;
    if (type === 'queue') return this.#hasQueue(name) ? null : new QueueNotFoundError(name);
    return this.#exchanges.has(name) ? null : new ExchangeNotFoundError(name);
  }

  #bindingsTo(destination: Destination): Binding[] {
    return [...(this.#incoming.get(destinationKey(destination)) ?? [])];
  }

  #unlink(binding: Binding): void {
    this.#bindings.delete(bindingKey(binding));
    const source = this.#exchanges.get(binding.exchange)!;
    source.table.remove(binding);
    source.outgoing.delete(binding);
    const destination = destinationKey(binding.destination);
    const incoming = this.#incoming.get(destination)!;
    incoming.delete(binding);
    if (incoming.size === 0) this.#incoming.delete(destination);
    this.#cache.clear();
  }
}

function resultOf(queues: string[]): RouteResult {
  // Shared by every message that the cache answers: a caller must not be able to change it.
  return Object.freeze({ queues: Object.freeze(queues), unroutable: queues.length === 0 });
}

const NOWHERE = resultOf([]);

function destinationKey({ type, name }: Destination): string {
  return `${type}:${name}`;
}

function differences(a: Exchange, b: Exchange): string[] {
  const keys = ['type', 'alternateExchange', 'internal', 'attributes'] as const;
  return keys.filter((key) => !isDeepStrictEqual(a[key], b[key]));
}
