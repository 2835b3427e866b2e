/**
 * Routing written as the rules read, with no thought for cost: what the real one is held against.
 */
import type { Binding, Exchange, HeadersMatch } from '../../../src/core/routing/exchange.ts';
import type { Headers } from '../../../src/core/message.ts';

export interface NaiveTopology {
  exchanges: Exchange[];
  bindings: Binding[];
}

export function naiveTopicMatch(pattern: string, key: string): boolean {
  return wordsMatch(words(pattern), words(key));
}

function words(text: string): string[] {
  return text === '' ? [] : text.split('.');
}

function wordsMatch(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === '#')
    return wordsMatch(rest, key) || (key.length > 0 && wordsMatch(pattern, key.slice(1)));
  return key.length > 0 && (first === '*' || first === key[0]) && wordsMatch(rest, key.slice(1));
}

export function naiveHeadersMatch(
  wanted: Headers | null,
  match: HeadersMatch,
  headers: Headers | null,
): boolean {
  let all = true;
  let any = false;
  const present = new Map(Object.entries(headers ?? {}));
  for (const [name, value] of Object.entries(wanted ?? {})) {
    if (name.startsWith('x-') && (match === 'all' || match === 'any')) continue;
    const met = present.has(name) && (value === null || present.get(name) === value);
    all = all && met;
    any = any || met;
  }
  return match === 'all' || match === 'all-with-x' ? all : any;
}

/** The queues that a message published to the exchange reaches. */
export function naiveRoute(
  topology: NaiveTopology,
  name: string,
  key: string,
  headers: Headers | null,
  seen: Set<string> = new Set(),
): Set<string> {
  const exchange = topology.exchanges.find((each) => each.name === name);
  if (exchange === undefined || seen.has(name)) return new Set();
  seen.add(name);
  const queues = new Set<string>();
  const further: string[] = [];
  const matched = topology.bindings.filter(
    (binding) => binding.exchange === name && matches(exchange, binding, key, headers),
  );
  for (const { destination } of matched) {
    if (destination.type === 'queue') queues.add(destination.name);
    else further.push(destination.name);
  }
  if (matched.length === 0 && exchange.alternateExchange !== null) {
    further.push(exchange.alternateExchange);
  }
  for (const next of further) {
    for (const queue of naiveRoute(topology, next, key, headers, seen)) queues.add(queue);
  }
  return queues;
}

function matches(
  exchange: Exchange,
  binding: Binding,
  key: string,
  headers: Headers | null,
): boolean {
  switch (exchange.type) {
    case 'direct':
      return binding.routingKey === key;
    case 'fanout':
      return true;
    case 'topic':
      return naiveTopicMatch(binding.routingKey, key);
    case 'headers':
      return naiveHeadersMatch(binding.headers, binding.match, headers);
  }
}
