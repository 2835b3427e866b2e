import type { Headers } from '../message.ts';
import type { Binding, ExchangeType } from './exchange.ts';
import { headersTest, type HeadersTest } from './headers-match.ts';
import { TopicTrie } from './topic.ts';

/** The bindings of one exchange, kept so that those a message matches are found fast. */
export interface BindingTable {
  /** The binding must not be in the table yet. */
  add(binding: Binding): void;
  /** The very object that was added. */
  remove(binding: Binding): void;
  /** @returns the bindings that a message matches, each once */
  match(routingKey: string, headers: Headers | null): Iterable<Binding>;
}

/** A table that matches in the way of the exchange type (AMQP 0-9-1, section 3.1.3). */
export function createBindingTable(type: ExchangeType): BindingTable {
  return new TABLES[type]();
}

const NONE: readonly Binding[] = [];

/** The routing key is the binding's: one look-up. */
class DirectTable implements BindingTable {
  readonly #byKey = new Map<string, Set<Binding>>();

  add(binding: Binding): void {
    const bindings = this.#byKey.get(binding.routingKey);
    if (bindings === undefined) this.#byKey.set(binding.routingKey, new Set([binding]));
    else bindings.add(binding);
  }

  remove(binding: Binding): void {
    const bindings = this.#byKey.get(binding.routingKey);
    if (bindings?.delete(binding) && bindings.size === 0) this.#byKey.delete(binding.routingKey);
  }

  match(routingKey: string): Iterable<Binding> {
    return this.#byKey.get(routingKey) ?? NONE;
  }
}

/** Every binding, whatever the routing key. */
class FanoutTable implements BindingTable {
  readonly #bindings = new Set<Binding>();

  add(binding: Binding): void {
    this.#bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.#bindings.delete(binding);
  }

  match(): Iterable<Binding> {
    return this.#bindings;
  }
}

/** Patterns: the cost follows the words of the key, not the number of bindings. */
class TopicTable implements BindingTable {
  readonly #trie = new TopicTrie<Binding>();

  add(binding: Binding): void {
    this.#trie.add(binding.routingKey, binding);
  }

  remove(binding: Binding): void {
    this.#trie.remove(binding.routingKey, binding);
  }

  match(routingKey: string): Iterable<Binding> {
    return this.#trie.match(routingKey);
  }
}

/** Each binding's headers against the message's, one binding after the other. */
class HeadersTable implements BindingTable {
  readonly #tests = new Map<Binding, HeadersTest>();

  add(binding: Binding): void {
    this.#tests.set(binding, headersTest(binding.headers, binding.match));
  }

  remove(binding: Binding): void {
    this.#tests.delete(binding);
  }

  match(_routingKey: string, headers: Headers | null): Iterable<Binding> {
    const matched: Binding[] = [];
    for (const [binding, test] of this.#tests) {
      if (test(headers)) matched.push(binding);
    }
    return matched;
  }
}

const TABLES: Record<ExchangeType, new () => BindingTable> = {
  direct: DirectTable,
  fanout: FanoutTable,
  topic: TopicTable,
  headers: HeadersTable,
};
