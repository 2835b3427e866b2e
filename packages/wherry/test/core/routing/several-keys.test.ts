import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ValidationError } from '../../../src/core/errors.ts';
import { Router } from '../../../src/core/routing/router.ts';

test('with several routing keys, every exchange on the way looks at all of them', () => {
  const router = new Router({
    exchanges: [
      { name: 'in', type: 'direct', alternateExchange: 'rest' },
      { name: 'inner', type: 'topic', internal: true },
      { name: 'rest', type: 'fanout' },
    ],
    bindings: [
      { exchange: 'in', destination: { type: 'exchange', name: 'inner' }, routingKey: 'a' },
      { exchange: 'inner', destination: { type: 'queue', name: 'q1' }, routingKey: 'b' },
      { exchange: 'rest', destination: { type: 'queue', name: 'q2' } },
    ],
    hasQueue: (name) => name.startsWith('q'),
  });
  const reached = (exchange: string, keys: string[]): readonly string[] =>
    router.routeByAll(exchange, keys, null).queues;
  assert.deepEqual(reached('in', ['a', 'b']), ['q1']);
  assert.deepEqual(reached('in', ['b', 'c']), ['q2']);
  assert.deepEqual(reached('in', ['a']), []);
  assert.deepEqual(reached('', ['q1', 'none', 'q1', 'q2']), ['q1', 'q2']);
  assert.throws(() => reached('inner', ['a', 'b']), ValidationError);
  assert.throws(() => reached('in', ['a', 'x'.repeat(256)]), ValidationError);
});
