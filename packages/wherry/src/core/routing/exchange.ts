import { inspect } from 'node:util';
import { ValidationError } from '../errors.ts';
import type { Headers } from '../message.ts';

/** How an exchange chooses among its bindings (AMQP 0-9-1, section 3.1.3). */
export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers';

export interface ExchangeConfig {
  readonly name: string;
  readonly type: ExchangeType;
  /** Gets what matches no binding of this exchange. It need not exist yet. */
  readonly alternateExchange?: string | null;
  /** `true`: reached from other exchanges only, never published to. */
  readonly internal?: boolean;
  /** What a protocol remembers of a declaration, as JSON. Default: null. */
  readonly attributes?: Readonly<Record<string, unknown>> | null;
}

/** An exchange with nothing left to default. */
export type Exchange = Readonly<Required<ExchangeConfig>>;

/**
 * How a binding's headers are held against a message's: all of them or at least one. Names that
 * begin with `x-` are left out of it, except in the `with-x` forms, which are RabbitMQ's.
 */
export type HeadersMatch = 'all' | 'any' | 'all-with-x' | 'any-with-x';

export interface Destination {
  readonly type: 'queue' | 'exchange';
  readonly name: string;
}

export interface BindingConfig {
  /** Where messages come from. */
  readonly exchange: string;
  readonly destination: Destination;
  /** A key, or a pattern when the exchange is a topic exchange. Default: `''`. */
  readonly routingKey?: string;
  /** What a headers exchange asks for; a `null` value asks for presence only. Default: nothing. */
  readonly headers?: Headers | null;
  /** Default: `'all'`. */
  readonly match?: HeadersMatch;
  /** What else tells it from others, as a protocol has it: a text that nobody reads. Default: null. */
  readonly arguments?: string | null;
}

/** A binding with nothing left to default. */
export type Binding = Readonly<Required<BindingConfig>>;

/** The default exchange: it has no bindings, and routes to the queue named by the routing key. */
export const DEFAULT_EXCHANGE = '';

/** Longest name of an exchange, a queue or a header, in bytes of UTF-8: AMQP's short string. */
export const NAME_BYTES_MAX = 255;
/** Longest routing key or pattern, in bytes of UTF-8: AMQP's short string. */
export const ROUTING_KEY_BYTES_MAX = 255;
/** Most headers that one binding asks for. */
export const BINDING_HEADERS_MAX = 64;
/** Longest text that a binding asks of a header, in bytes of UTF-8. */
export const BINDING_HEADER_BYTES_MAX = 1_024;
/** Longest `arguments` of a binding, in bytes. */
const BINDING_ARGUMENTS_BYTES_MAX = 65_536;

const EXCHANGE_TYPES: readonly string[] = ['direct', 'fanout', 'topic', 'headers'];
const HEADERS_MATCHES: readonly string[] = ['all', 'any', 'all-with-x', 'any-with-x'];
const DESTINATION_TYPES: readonly string[] = ['queue', 'exchange'];

/**
 * Checks an exchange's settings and fills in the defaults.
 * @throws ValidationError naming the setting that is wrong
 */
export function parseExchange(config: ExchangeConfig): Exchange {
  const { name, type, alternateExchange = null, internal = false, attributes = null } = config;
  checkName(name, 'The exchange name');
  checkOneOf(type, EXCHANGE_TYPES, `The type of exchange '${name}'`);
  if (alternateExchange !== null) checkName(alternateExchange, 'alternateExchange');
  if (typeof internal !== 'boolean') {
    throw new ValidationError(`internal is ${shown(internal)}; it must be true or false.`);
  }
  if (attributes !== null && !isPlainObject(attributes)) {
    throw new ValidationError(`attributes is ${shown(attributes)}; it must be a plain object.`);
  }
  return Object.freeze({ name, type, alternateExchange, internal, attributes });
}

/**
 * Checks a binding and fills in the defaults. Whether its ends exist is the router's to say.
 * @throws ValidationError naming the setting that is wrong
 */
export function parseBinding(config: BindingConfig): Binding {
  const { exchange, destination, routingKey = '', headers = null, match = 'all' } = config;
  const { arguments: more = null } = config;
  if (exchange === DEFAULT_EXCHANGE) {
    throw new ValidationError(
      "The default exchange '' takes no bindings: it routes to the queue named by the routing " +
        'key. Create an exchange and bind from that.',
    );
  }
  checkName(exchange, 'The exchange of a binding');
  const { type, name } = destination ?? {};
  checkOneOf(type, DESTINATION_TYPES, "The type of a binding's destination");
  checkName(name, `The destination ${type} of a binding`);
  checkRoutingKey(routingKey);
  checkOneOf(match, HEADERS_MATCHES, 'match');
  if (more !== null) checkText(more, 0, BINDING_ARGUMENTS_BYTES_MAX, 'The arguments of a binding');
  return Object.freeze({
    exchange,
    destination: Object.freeze({ type, name }),
    routingKey,
    headers: parseHeaders(headers),
    match,
    arguments: more,
  });
}

/**
 * The identity of a binding: equal for two bindings exactly when every field is, whatever the
 * order of their headers.
 * @returns a string made for comparing and for use as a key; it may be long when headers are
 */
export function bindingKey(binding: Binding): string {
  const { exchange, destination, routingKey, headers, match } = binding;
  const sorted = headers === null ? [] : Object.entries(headers).toSorted(byName);
  const identity = [exchange, destination.type, destination.name, routingKey, match];
  // Left out where there are none, so that the names under which bindings are stored stay the same.
  const more = binding.arguments === null ? [] : [{ arguments: binding.arguments }];
  return JSON.stringify([...identity, ...sorted.flat(), ...more]);
}

/** @throws ValidationError when a routing key or pattern is not text, or too long */
export function checkRoutingKey(routingKey: unknown): asserts routingKey is string {
  checkText(routingKey, 0, ROUTING_KEY_BYTES_MAX, 'The routing key');
}

function parseHeaders(headers: unknown): Headers | null {
  if (headers === null) return null;
  // A Map, say, would look like no headers at all, which every message satisfies.
  if (!isPlainObject(headers)) {
    throw new ValidationError(
      `The headers of a binding are ${shown(headers)}; they must be a plain object.`,
    );
  }
  const entries = Object.entries(headers);
  if (entries.length > BINDING_HEADERS_MAX) {
    throw new ValidationError(
      `A binding asks for ${entries.length} headers; the most is ${BINDING_HEADERS_MAX}. ` +
        'Ask for fewer, or split it into several bindings.',
    );
  }
  if (entries.length === 0) return null;
  return Object.freeze(
    Object.fromEntries(entries.map(([name, value]) => [name, parseHeader(name, value)])),
  );
}

function parseHeader(name: string, value: unknown): Headers[string] {
  checkName(name, "The name of a binding's header");
  if (name === 'x-match') {
    throw new ValidationError(
      `The headers of a binding hold 'x-match'; give it as match: ${shown(value)} instead.`,
    );
  }
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'string') {
    checkText(value, 0, BINDING_HEADER_BYTES_MAX, `The binding's header '${name}'`);
    return value;
  }
  throw new ValidationError(
    `The binding's header '${name}' is ${shown(value)}; it must be a string, a finite number, ` +
      'a boolean, or null to ask for its presence only.',
  );
}

function checkName(value: unknown, what: string): asserts value is string {
  checkText(value, 1, NAME_BYTES_MAX, what);
  if (/\p{Cc}/u.test(value)) {
    throw new ValidationError(`${what} is ${shown(value)}; it must hold no control characters.`);
  }
}

function checkText(
  value: unknown,
  bytesMin: number,
  bytesMax: number,
  what: string,
): asserts value is string {
  if (typeof value !== 'string') {
    throw new ValidationError(`${what} is ${shown(value)}; it must be a string.`);
  }
  // A lone surrogate becomes U+FFFD on disk and on the wire, where two texts would then be one.
  if (/\p{Cs}/u.test(value)) {
    throw new ValidationError(`${what} is ${shown(value)}; it must be well-formed Unicode.`);
  }
  const bytes = Buffer.byteLength(value);
  if (bytes < bytesMin || bytes > bytesMax) {
    throw new ValidationError(
      `${what} is ${shown(value)}, ${bytes} bytes long; it must be ${bytesMin} to ${bytesMax} ` +
        'bytes of UTF-8.',
    );
  }
}

function checkOneOf(value: unknown, allowed: readonly string[], what: string): void {
  if (typeof value === 'string' && allowed.includes(value)) return;
  throw new ValidationError(`${what} is ${shown(value)}; it must be one of ${allowed.join(', ')}.`);
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function shown(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 60 });
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
