import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ValidationError } from '../../../src/core/errors.ts';
import type { Headers } from '../../../src/core/message.ts';
import {
  type Binding,
  type BindingConfig,
  BINDING_HEADER_BYTES_MAX,
  BINDING_HEADERS_MAX,
  bindingKey,
  type ExchangeConfig,
  NAME_BYTES_MAX,
  parseBinding,
  parseExchange,
  ROUTING_KEY_BYTES_MAX,
} from '../../../src/core/routing/exchange.ts';

const exchange = (changes: object): ExchangeConfig => ({ name: 'x', type: 'topic', ...changes });
const binding = (changes: object = {}): BindingConfig => ({
  exchange: 'x',
  destination: { type: 'queue', name: 'q' },
  ...changes,
});

function refuses(parse: () => unknown, ...mentions: string[]): void {
  assert.throws(parse, (error: unknown) => {
    assert.ok(error instanceof ValidationError, String(error));
    for (const mention of mentions) {
      assert.ok(error.message.includes(mention), `'${error.message}' lacks '${mention}'`);
    }
    return true;
  });
}

test('an exchange gets its defaults', () => {
  assert.deepEqual(parseExchange({ name: 'logs', type: 'fanout' }), {
    name: 'logs',
    type: 'fanout',
    alternateExchange: null,
    internal: false,
    attributes: null,
  });
});

test('a name is 1 to 255 bytes of UTF-8, not characters', () => {
  parseExchange(exchange({ name: 'é'.repeat(127) + 'e' }));
  refuses(() => parseExchange(exchange({ name: 'é'.repeat(128) })), '256 bytes', '1 to 255');
  refuses(() => parseExchange(exchange({ name: '' })), '0 bytes', '1 to 255');
  refuses(() => parseExchange(exchange({ alternateExchange: '' })), 'alternateExchange');
  parseBinding(binding({ destination: { type: 'queue', name: 'q'.repeat(NAME_BYTES_MAX) } }));
  const tooLong = { type: 'queue', name: 'q'.repeat(NAME_BYTES_MAX + 1) };
  refuses(() => parseBinding(binding({ destination: tooLong })), 'destination queue', '256 bytes');
});

test('a name is well-formed text without control characters', () => {
  parseExchange(exchange({ name: 'orders/eu: 注文 🚢' }));
  refuses(() => parseExchange(exchange({ name: 'a\u0000b' })), 'control characters');
  refuses(() => parseExchange(exchange({ name: 'a\nb' })), 'control characters');
  refuses(() => parseExchange(exchange({ name: 'a\uD800' })), 'well-formed');
  refuses(() => parseExchange(exchange({ name: 7 })), 'is 7', 'must be a string');
  refuses(() => parseExchange(exchange({ name: undefined })), 'undefined');
});

test('the other settings of an exchange are checked', () => {
  refuses(() => parseExchange(exchange({ type: 'queue' })), "'queue'", 'direct, fanout, topic');
  refuses(() => parseExchange(exchange({ type: 'constructor' })), "'constructor'");
  refuses(() => parseExchange(exchange({ internal: 'no' })), 'internal', "'no'");
  refuses(() => parseExchange(exchange({ attributes: ['no'] })), 'attributes', 'plain object');
});

test('a binding gets its defaults; asking for no headers is asking for none', () => {
  const parsed = {
    exchange: 'x',
    destination: { type: 'queue', name: 'q' },
    routingKey: '',
    headers: null,
    match: 'all',
    arguments: null,
  };
  assert.deepEqual(parseBinding(binding()), parsed);
  assert.deepEqual(parseBinding(binding({ headers: {} })), parsed);
  assert.deepEqual(parseBinding(binding({ headers: { h: undefined } })).headers, { h: null });
});

test('a routing key is at most 255 bytes, and may be any text', () => {
  parseBinding(binding({ routingKey: 'k'.repeat(ROUTING_KEY_BYTES_MAX) }));
  parseBinding(binding({ routingKey: 'stock*..#' }));
  refuses(
    () => parseBinding(binding({ routingKey: 'k'.repeat(ROUTING_KEY_BYTES_MAX + 1) })),
    'routing key',
    '256 bytes',
    'kkk',
  );
  refuses(() => parseBinding(binding({ routingKey: 5 })), 'must be a string');
});

test('the ends of a binding are checked', () => {
  refuses(() => parseBinding(binding({ exchange: '' })), 'default exchange', 'takes no bindings');
  refuses(() => parseBinding(binding({ destination: { type: 'topic', name: 'q' } })), "'topic'");
  refuses(() => parseBinding(binding({ destination: undefined })), 'destination');
  const toDefault = { type: 'exchange', name: '' };
  refuses(() => parseBinding(binding({ destination: toDefault })), 'destination exchange');
});

test('the headers of a binding are checked', () => {
  const headers = (count: number): Headers =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, i]));
  parseBinding(binding({ headers: headers(BINDING_HEADERS_MAX) }));
  refuses(() => parseBinding(binding({ headers: headers(65) })), '65 headers', '64');
  parseBinding(binding({ headers: { h: 'v'.repeat(BINDING_HEADER_BYTES_MAX) } }));
  refuses(() => parseBinding(binding({ headers: { h: 'v'.repeat(1_025) } })), "'h'", '1025 bytes');
  refuses(() => parseBinding(binding({ headers: { '': 1 } })), 'name of a binding', '0 bytes');
  refuses(() => parseBinding(binding({ headers: { h: Number.NaN } })), "'h' is NaN");
  refuses(() => parseBinding(binding({ headers: { h: Infinity } })), "'h' is Infinity");
  refuses(() => parseBinding(binding({ headers: { h: { deep: 1 } } })), "'h' is", 'deep');
  refuses(() => parseBinding(binding({ headers: { h: 1n } })), "'h' is 1n");
  for (const notPlain of [['h'], new Map([['h', 1]]), 'h', 1]) {
    refuses(() => parseBinding(binding({ headers: notPlain })), 'plain object');
  }
  refuses(() => parseBinding(binding({ arguments: {} })), 'arguments', 'string');
  refuses(() => parseBinding(binding({ match: 'some' })), "'some'", 'all-with-x');
  refuses(() => parseBinding(binding({ headers: { 'x-match': 'any' } })), "match: 'any'");
});

test('what was parsed cannot be changed behind the router', () => {
  const headers: Record<string, number> = { h: 1 };
  const parsed = parseBinding(binding({ headers }));
  headers['h'] = 2;
  assert.deepEqual(parsed.headers, { h: 1 });
  assert.ok(Object.isFrozen(parsed) && Object.isFrozen(parsed.destination));
  assert.ok(Object.isFrozen(parsed.headers) && Object.isFrozen(parseExchange(exchange({}))));
});

test('the identity of a binding does not hang on the order of its headers', () => {
  const one = parseBinding(binding({ headers: { a: 1, b: 'x' } }));
  const other = parseBinding(binding({ headers: { b: 'x', a: 1 } }));
  assert.equal(bindingKey(one), bindingKey(other));
});

test('two bindings share an identity exactly when they are equal', () => {
  // Few and awkward values, so that both equal pairs and near misses turn up.
  const text = fc.constantFrom('a', 'b', '"', ',', 'a,b', 'queue');
  const value = fc.constantFrom<Headers[string]>(null, 1, '1', true, 'true', 'a');
  const bindings = fc
    .record({
      exchange: text,
      destination: fc.record({
        type: fc.constantFrom<'queue' | 'exchange'>('queue', 'exchange'),
        name: text,
      }),
      routingKey: fc.constantFrom('', 'a', '"'),
      headers: fc.option(fc.dictionary(text, value, { maxKeys: 2 })),
      match: fc.constantFrom<'all' | 'any'>('all', 'any'),
      arguments: fc.constantFrom(null, '', 'a', '{}'),
    })
    .map(parseBinding);
  const fields = [
    'exchange',
    'destination',
    'routingKey',
    'headers',
    'match',
    'arguments',
  ] as const;
  fc.assert(
    fc.property(bindings, bindings, fc.subarray([...fields]), (one, other, taken) => {
      const mixed: Binding = {
        ...one,
        ...Object.fromEntries(taken.map((field) => [field, other[field]])),
      };
      assert.equal(bindingKey(one) === bindingKey(mixed), isEqual(one, mixed));
      assert.equal(bindingKey(one) === bindingKey(other), isEqual(one, other));
    }),
    { numRuns: 2_000 },
  );
});

function isEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}
