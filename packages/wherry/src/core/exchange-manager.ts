import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  ExchangeNotFoundError,
  QueueExistsError,
  QueueNotFoundError,
  ValidationError,
} from './errors.ts';
import type { Headers } from './message.ts';
import { type QueueLike, queueNameOf } from './queue.ts';
import {
  type Binding,
  type Exchange,
  type ExchangeConfig,
  type HeadersMatch,
  bindingKey,
  parseBinding,
  parseExchange,
} from './routing/exchange.ts';
import type { BindingFilter } from './routing/router.ts';
import type { Topology } from './topology.ts';

/** What `bind` and `unbind` take: an exchange, and a queue or another exchange. */
export interface BindConfig {
  readonly exchange: string;
  /** Exactly one of `queue` and `destinationExchange`. */
  readonly queue?: QueueLike;
  readonly destinationExchange?: string;
  /** A key, or, at a topic exchange, a pattern: `*` stands for a word, `#` for any number of them. */
  readonly routingKey?: string;
  /** What a headers exchange asks for. */
  readonly headers?: Headers;
  readonly match?: HeadersMatch;
  /** What else tells it from others, as a protocol has it: a text that nobody reads. */
  readonly arguments?: string | null;
}

/** Exchanges and bindings: where published messages go. */
export class ExchangeManager {
  readonly #topology: Topology;

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /**
   * Creates an exchange. Creating it again with equal settings answers the one that is there.
   * @throws ValidationError, QueueExistsError
   */
  async createExchange(config: ExchangeConfig): Promise<Exchange> {
    const exchange = parseExchange(config);
    await this.#topology.put('exchange', exchange.name, (present) => {
      if (present === undefined) return exchange;
      // What an older version stored lacks the settings that are newer.
      const other = parseExchange(present.value as ExchangeConfig);
      const keys = Object.keys(exchange) as (keyof Exchange)[];
      const differing = keys.filter((key) => !isDeepStrictEqual(exchange[key], other[key]));
      if (differing.length > 0) throw new QueueExistsError('Exchange', exchange.name, differing);
      return null;
    });
    return exchange;
  }

  /** Deletes an exchange with the bindings from and to it. @throws ExchangeNotFoundError */
  async deleteExchange(name: string): Promise<void> {
    const bindings = this.#topology.list('binding').filter((entry) => {
      const { exchange, destination } = entry.value as Binding;
      return exchange === name || (destination.type === 'exchange' && destination.name === name);
    });
    if (!(await this.#topology.remove('exchange', name))) throw new ExchangeNotFoundError(name);
    for (const binding of bindings) await this.#topology.remove('binding', binding.name);
  }

  listExchanges(): Exchange[] {
    return this.#topology
      .list('exchange')
      .map((entry) => parseExchange(entry.value as ExchangeConfig));
  }

  /**
   * Binds a queue or an exchange to an exchange. Binding twice is the same as once.
   * @throws ValidationError, ExchangeNotFoundError, QueueNotFoundError
   */
  async bind(config: BindConfig): Promise<void> {
    const binding = toBinding(config);
    if (this.#topology.find('exchange', binding.exchange) === undefined) {
      throw new ExchangeNotFoundError(binding.exchange);
    }
    const { type, name } = binding.destination;
    if (this.#topology.find(type, name) === undefined) {
      throw type === 'queue' ? new QueueNotFoundError(name) : new ExchangeNotFoundError(name);
    }
    await this.#topology.put('binding', entryName(binding), (present) =>
      present === undefined ? binding : null,
    );
    // One that was left of a queue that is gone is there, and leads nowhere until now.
    this.#topology.router.addBinding(binding);
  }

  /** Does nothing when there is no such binding. @throws ValidationError */
  async unbind(config: BindConfig): Promise<void> {
    await this.#topology.remove('binding', entryName(toBinding(config)));
  }

  /** Whether an equal binding is there. @throws ValidationError */
  hasBinding(config: BindConfig): boolean {
    return this.#topology.find('binding', entryName(toBinding(config))) !== undefined;
  }

  listBindings(filter: BindingFilter = {}): Binding[] {
    return [...this.#topology.router.listBindings(filter)];
  }
}

/** Under which name a binding is stored: many headers make a long key, stores want short names. */
export function entryName(binding: Binding): string {
  return createHash('sha256').update(bindingKey(binding)).digest('hex');
}

function toBinding(config: BindConfig): Binding {
  const { queue, destinationExchange, ...rest } = config;
  if ((queue === undefined) === (destinationExchange === undefined)) {
    throw new ValidationError('A binding has exactly one of queue and destinationExchange.');
  }
  const destination =
    queue === undefined
      ? { type: 'exchange' as const, name: destinationExchange! }
      : { type: 'queue' as const, name: queueNameOf(queue) };
  return parseBinding({ ...rest, destination });
}
