import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ExchangeNotFoundError,
  QueueExistsError,
  QueueNotFoundError,
  ValidationError,
} from '../../../src/core/errors.ts';
import type { Headers } from '../../../src/core/message.ts';
import type {
  BindingConfig,
  ExchangeConfig,
  ExchangeType,
} from '../../../src/core/routing/exchange.ts';
import { ROUTE_CACHE_ADMITS_ONE_IN } from '../../../src/core/routing/route-cache.ts';
import { Router } from '../../../src/core/routing/router.ts';

const toQueue = (
  exchange: string,
  name: string,
  rest: Partial<BindingConfig> = {},
): BindingConfig => ({
  exchange,
  destination: { type: 'queue', name },
  ...rest,
});
const toExchange = (exchange: string, name: string, routingKey = ''): BindingConfig => ({
  exchange,
  destination: { type: 'exchange', name },
  routingKey,
});
const exchange = (name: string, type: ExchangeType, rest: object = {}): ExchangeConfig => ({
  name,
  type,
  ...rest,
});

/** A router in a system where every queue exists whose name begins with q. */
function routerOf(exchanges: ExchangeConfig[], bindings: BindingConfig[] = []): Router {
  const router = new Router({ exchanges, bindings, hasQueue: (name) => name.startsWith('q') });
  assert.deepEqual(router.orphans, []);
  return router;
}

/** Routes often enough that a cached answer would be given, which must be the same. */
function queuesOf(router: Router, name: string, key: string, headers?: Headers): string[] {
  const first = router.route(name, key, headers);
  for (let i = 0; i < ROUTE_CACHE_ADMITS_ONE_IN; i++) {
    assert.deepEqual(router.route(name, key, headers), first);
  }
  assert.equal(first.unroutable, first.queues.length === 0);
  return first.queues.toSorted();
}

test('the default exchange routes to the queue named by the key', () => {
  const queues = new Set(['jobs']);
  const router = new Router({ hasQueue: (name) => queues.has(name) });
  assert.deepEqual(queuesOf(router, '', 'jobs'), ['jobs']);
  assert.deepEqual(queuesOf(router, '', 'other'), []);
  queues.delete('jobs');
  assert.deepEqual(queuesOf(router, '', 'jobs'), []);
});

test('a fanout exchange routes to every bound queue, whatever the key', () => {
  const router = routerOf(
    [exchange('logs', 'fanout')],
    [toQueue('logs', 'q1'), toQueue('logs', 'q2', { routingKey: 'ignored' })],
  );
  assert.deepEqual(queuesOf(router, 'logs', 'anything'), ['q1', 'q2']);
});

test('a direct exchange routes by equal keys: the severities of the routing tutorial', () => {
  const router = routerOf(
    [exchange('direct_logs', 'direct')],
    [
      toQueue('direct_logs', 'q1', { routingKey: 'error' }),
      ...['info', 'error', 'warning'].map((routingKey) =>
        toQueue('direct_logs', 'q2', { routingKey }),
      ),
    ],
  );
  assert.deepEqual(queuesOf(router, 'direct_logs', 'error'), ['q1', 'q2']);
  assert.deepEqual(queuesOf(router, 'direct_logs', 'info'), ['q2']);
  assert.deepEqual(queuesOf(router, 'direct_logs', 'warning'), ['q2']);
  assert.deepEqual(queuesOf(router, 'direct_logs', 'debug'), []);
  assert.deepEqual(queuesOf(router, 'direct_logs', '#'), []);
});

test('a topic exchange routes by patterns: the animals of the topics tutorial', () => {
  const router = routerOf(
    [exchange('animals', 'topic')],
    [
      toQueue('animals', 'q1', { routingKey: '*.orange.*' }),
      toQueue('animals', 'q2', { routingKey: '*.*.rabbit' }),
      toQueue('animals', 'q2', { routingKey: 'lazy.#' }),
    ],
  );
  const expected: Record<string, string[]> = {
    'quick.orange.rabbit': ['q1', 'q2'],
    'lazy.orange.elephant': ['q1', 'q2'],
    'quick.orange.fox': ['q1'],
    'lazy.brown.fox': ['q2'],
    'lazy.pink.rabbit': ['q2'],
    'quick.brown.fox': [],
    orange: [],
    'quick.orange.new.rabbit': [],
    'lazy.orange.new.rabbit': ['q2'],
  };
  for (const [key, queues] of Object.entries(expected)) {
    assert.deepEqual(queuesOf(router, 'animals', key), queues, key);
  }
});

test('a headers exchange routes by headers, and each message by its own', () => {
  const router = routerOf(
    [exchange('files', 'headers')],
    [
      toQueue('files', 'q1', { headers: { format: 'pdf', type: 'report' } }),
      toQueue('files', 'q2', { headers: { format: 'pdf', type: 'log' }, match: 'any' }),
      toQueue('files', 'q3', { headers: { 'x-tenant': 7 }, match: 'any-with-x' }),
    ],
  );
  assert.deepEqual(queuesOf(router, 'files', 'k', { format: 'pdf', type: 'report' }), ['q1', 'q2']);
  assert.deepEqual(queuesOf(router, 'files', 'k', { type: 'log' }), ['q2']);
  assert.deepEqual(queuesOf(router, 'files', 'k', { 'x-tenant': 7 }), ['q3']);
  assert.deepEqual(queuesOf(router, 'files', 'k'), []);
});

test('an exchange bound to an exchange passes on what it is handed', () => {
  const router = routerOf(
    [exchange('all', 'fanout'), exchange('eu', 'topic'), exchange('vip', 'headers')],
    [
      toExchange('all', 'eu'),
      toExchange('all', 'vip'),
      toQueue('all', 'q0'),
      toQueue('eu', 'q1', { routingKey: 'eu.#' }),
      toQueue('vip', 'q2', { headers: { vip: true } }),
    ],
  );
  assert.deepEqual(queuesOf(router, 'all', 'us.order'), ['q0']);
  assert.deepEqual(queuesOf(router, 'all', 'eu.order'), ['q0', 'q1']);
  assert.deepEqual(queuesOf(router, 'all', 'eu.order', { vip: true }), ['q0', 'q1', 'q2']);
  assert.deepEqual(queuesOf(router, 'eu', 'eu.order'), ['q1']);
});

test('a queue reached in several ways gets one copy, and circles of bindings end', () => {
  const router = routerOf(
    [exchange('a', 'fanout'), exchange('b', 'fanout'), exchange('c', 'fanout')],
    [
      toExchange('a', 'a'),
      toExchange('a', 'b'),
      toExchange('b', 'c'),
      toExchange('c', 'a'),
      toQueue('a', 'q1'),
      toQueue('b', 'q1'),
      toQueue('c', 'q1', { routingKey: 'again' }),
      toQueue('c', 'q1'),
      toQueue('c', 'q2'),
    ],
  );
  for (const start of ['a', 'b', 'c']) assert.deepEqual(queuesOf(router, start, ''), ['q1', 'q2']);
});

test('an alternate exchange gets what matches no binding, along a chain', () => {
  const router = routerOf(
    [
      exchange('first', 'direct', { alternateExchange: 'second' }),
      exchange('second', 'direct', { alternateExchange: 'last' }),
      exchange('last', 'fanout'),
    ],
    [
      toQueue('first', 'q1', { routingKey: 'a' }),
      toQueue('second', 'q2', { routingKey: 'b' }),
      toQueue('last', 'q3'),
    ],
  );
  assert.deepEqual(queuesOf(router, 'first', 'a'), ['q1']);
  assert.deepEqual(queuesOf(router, 'first', 'b'), ['q2']);
  assert.deepEqual(queuesOf(router, 'first', 'c'), ['q3']);
});

test('the alternate exchange of an exchange reached by a binding is used too', () => {
  const router = routerOf(
    [
      exchange('a', 'fanout'),
      exchange('b', 'direct', { alternateExchange: 'rest' }),
      exchange('rest', 'fanout'),
    ],
    [toExchange('a', 'b'), toQueue('a', 'q1'), toQueue('rest', 'q2')],
  );
  assert.deepEqual(queuesOf(router, 'a', 'k'), ['q1', 'q2']);
});

test('a binding to an exchange is a match, even if nothing comes of it there', () => {
  const router = routerOf(
    [
      exchange('a', 'fanout', { alternateExchange: 'rest' }),
      exchange('empty', 'fanout'),
      exchange('rest', 'fanout'),
    ],
    [toExchange('a', 'empty'), toQueue('rest', 'q1')],
  );
  assert.deepEqual(queuesOf(router, 'a', 'k'), []);
});

test('circles of alternates end, and one that does not exist is none', () => {
  const router = routerOf([
    exchange('a', 'direct', { alternateExchange: 'b' }),
    exchange('b', 'direct', { alternateExchange: 'a' }),
    exchange('self', 'direct', { alternateExchange: 'self' }),
    exchange('nowhere', 'direct', { alternateExchange: 'later' }),
  ]);
  for (const name of ['a', 'b', 'self', 'nowhere'])
    assert.deepEqual(queuesOf(router, name, 'k'), []);
  router.addExchange(exchange('later', 'fanout'));
  router.addBinding(toQueue('later', 'q1'));
  assert.deepEqual(queuesOf(router, 'nowhere', 'k'), ['q1']);
});

test('an unknown exchange is an error', () => {
  const router = routerOf([]);
  assert.throws(() => router.route('gone', 'k'), ExchangeNotFoundError);
});

test('an internal exchange is reached from exchanges only', () => {
  const router = routerOf(
    [
      exchange('inner', 'fanout', { internal: true }),
      exchange('outer', 'fanout'),
      exchange('strict', 'direct', { alternateExchange: 'inner' }),
    ],
    [toExchange('outer', 'inner'), toQueue('inner', 'q1')],
  );
  assert.deepEqual(queuesOf(router, 'outer', ''), ['q1']);
  assert.deepEqual(queuesOf(router, 'strict', ''), ['q1']);
  const refused = { name: 'ValidationError', message: /'inner' is internal/ };
  assert.throws(() => router.route('inner', ''), refused);
});

test('a routing key beyond 255 bytes is refused, on the default exchange too', () => {
  const router = routerOf([exchange('x', 'fanout')]);
  for (const name of ['', 'x']) {
    assert.throws(() => router.route(name, 'k'.repeat(256)), ValidationError);
    assert.throws(() => router.route(name, '語'.repeat(86)), ValidationError);
    assert.equal(router.route(name, 'k'.repeat(255)).unroutable, true);
  }
});

test('adding what is there changes nothing; other settings are an error', () => {
  const router = routerOf([]);
  assert.equal(router.addExchange(exchange('x', 'direct')), true);
  assert.equal(router.addExchange(exchange('x', 'direct', { internal: false })), false);
  assert.throws(() => router.addExchange(exchange('x', 'topic', { internal: true })), {
    name: 'QueueExistsError',
    message: /Exchange 'x' .*\(type, internal\)/,
  });
  assert.throws(
    () => router.addExchange(exchange('x', 'direct', { alternateExchange: 'y' })),
    QueueExistsError,
  );
  assert.equal(router.addBinding(toQueue('x', 'q1', { headers: { a: 1, b: 2 } })), true);
  assert.equal(router.addBinding(toQueue('x', 'q1', { headers: { b: 2, a: 1 } })), false);
  assert.equal(router.listBindings().length, 1);
  assert.deepEqual(router.getExchange('x'), router.listExchanges()[0]);
  assert.equal(router.getExchange('y'), undefined);
});

test('both ends of a new binding must exist', () => {
  const router = routerOf([exchange('x', 'direct')]);
  assert.throws(() => router.addBinding(toQueue('y', 'q1')), ExchangeNotFoundError);
  assert.throws(() => router.addBinding(toExchange('x', 'y')), ExchangeNotFoundError);
  assert.throws(() => router.addBinding(toQueue('x', 'unknown')), QueueNotFoundError);
  assert.deepEqual(router.listBindings(), []);
});

test('stored bindings whose end is gone are set apart, not an error', () => {
  const router = new Router({
    exchanges: [exchange('x', 'fanout')],
    bindings: [toQueue('x', 'q1'), toQueue('x', 'gone'), toExchange('x', 'y'), toQueue('y', 'q1')],
    hasQueue: (name) => name === 'q1',
  });
  assert.deepEqual(
    router.orphans.map((orphan) => [orphan.exchange, orphan.destination.name]),
    [
      ['x', 'gone'],
      ['x', 'y'],
      ['y', 'q1'],
    ],
  );
  assert.deepEqual(queuesOf(router, 'x', ''), ['q1']);
});

test('every change shows at once in what was routed before', () => {
  const router = routerOf([exchange('x', 'direct')]);
  const expectQueues = (...queues: string[]): void =>
    assert.deepEqual(queuesOf(router, 'x', 'k'), queues);
  const viaKey = toQueue('x', 'q1', { routingKey: 'k' });
  expectQueues();
  router.addBinding(viaKey);
  expectQueues('q1');
  router.addExchange(exchange('y', 'fanout'));
  router.addBinding(toQueue('y', 'q2'));
  router.addBinding(toExchange('x', 'y', 'k'));
  expectQueues('q1', 'q2');
  assert.equal(router.removeBinding(viaKey), true);
  assert.equal(router.removeBinding(viaKey), false);
  expectQueues('q2');
  router.removeExchange('y');
  expectQueues();
});

test('a binding is removed alone, not with its neighbours', () => {
  for (const type of ['direct', 'fanout', 'topic', 'headers'] as const) {
    const bindings = [
      toQueue('x', 'q1', { routingKey: 'k' }),
      toQueue('x', 'q2', { routingKey: 'k' }),
      toQueue('x', 'q2', { routingKey: 'k', headers: { h: 1 } }),
      toQueue('x', 'q3', { routingKey: 'k', match: 'any', headers: { h: 1 } }),
    ];
    const router = routerOf([exchange('x', type)], bindings);
    assert.deepEqual(queuesOf(router, 'x', 'k', { h: 1 }), ['q1', 'q2', 'q3'], type);
    router.removeBinding(bindings[1]!);
    assert.deepEqual(queuesOf(router, 'x', 'k', { h: 1 }), ['q1', 'q2', 'q3'], type);
    router.removeBinding(bindings[2]!);
    assert.deepEqual(queuesOf(router, 'x', 'k', { h: 1 }), ['q1', 'q3'], type);
  }
});

test('a removed queue takes its bindings with it', () => {
  const router = routerOf(
    [exchange('x', 'fanout'), exchange('q1', 'topic')],
    [
      toQueue('x', 'q1'),
      toQueue('x', 'q2'),
      toExchange('x', 'q1'),
      toQueue('q1', 'q1', { routingKey: '#' }),
    ],
  );
  const gone = router.removeQueue('q1').map((binding) => binding.exchange);
  assert.deepEqual(gone.toSorted(), ['q1', 'x']);
  assert.deepEqual(queuesOf(router, 'x', 'k'), ['q2']);
  assert.deepEqual(router.listBindings({ queue: 'q1' }), []);
  assert.equal(router.listBindings().length, 2, 'the exchange of the same name keeps its own');
  assert.deepEqual(router.removeQueue('q1'), []);
});

test('a removed exchange takes the bindings from and to it, and comes back bare', () => {
  const router = routerOf(
    [exchange('x', 'fanout'), exchange('y', 'fanout')],
    [toExchange('x', 'y'), toExchange('y', 'y'), toQueue('x', 'q1'), toQueue('y', 'q2')],
  );
  assert.equal(router.removeExchange('y').length, 3);
  assert.deepEqual(router.removeExchange('y'), []);
  assert.throws(() => router.route('y', ''), ExchangeNotFoundError);
  assert.deepEqual(queuesOf(router, 'x', ''), ['q1']);
  router.addExchange(exchange('y', 'topic'));
  assert.deepEqual(queuesOf(router, 'y', ''), []);
  assert.deepEqual(queuesOf(router, 'x', ''), ['q1']);
});

test('a removed exchange is unknown at once, though its routes were cached', () => {
  const router = routerOf([exchange('x', 'fanout')]);
  assert.deepEqual(queuesOf(router, 'x', 'k'), []);
  router.removeExchange('x');
  assert.throws(() => router.route('x', 'k'), ExchangeNotFoundError);
});

test('bindings are listed by exchange, by queue, and by both', () => {
  const router = routerOf(
    [exchange('x', 'fanout'), exchange('y', 'fanout')],
    [toQueue('x', 'q1'), toQueue('x', 'q2'), toQueue('y', 'q1'), toExchange('x', 'y')],
  );
  const names = (filter?: { exchange?: string; queue?: string }): string[] =>
    router.listBindings(filter).map((each) => `${each.exchange}>${each.destination.name}`);
  assert.deepEqual(names(), ['x>q1', 'x>q2', 'y>q1', 'x>y']);
  assert.deepEqual(names({ exchange: 'x' }), ['x>q1', 'x>q2', 'x>y']);
  assert.deepEqual(names({ queue: 'q1' }), ['x>q1', 'y>q1']);
  assert.deepEqual(names({ exchange: 'y', queue: 'q1' }), ['y>q1']);
  assert.deepEqual(names({ exchange: 'z' }), []);
  assert.deepEqual(names({ queue: 'y' }), [], 'an exchange is no queue');
});

test('a result cannot be changed by who gets it', () => {
  const router = routerOf([exchange('x', 'fanout')], [toQueue('x', 'q1')]);
  for (const name of ['', 'x']) {
    const result = router.route(name, 'q1');
    assert.ok(Object.isFrozen(result) && Object.isFrozen(result.queues));
  }
});
