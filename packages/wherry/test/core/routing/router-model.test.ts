import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageQueueError } from '../../../src/core/errors.ts';
import {
  type Binding,
  bindingKey,
  type Exchange,
  parseBinding,
  parseExchange,
} from '../../../src/core/routing/exchange.ts';
import { ROUTE_CACHE_ADMITS_ONE_IN } from '../../../src/core/routing/route-cache.ts';
import { Router } from '../../../src/core/routing/router.ts';
import { naiveRoute, type NaiveTopology } from './naive.ts';

const EXCHANGES = ['a', 'b', 'c', 'd'];
const QUEUES = ['q', 'r', 's'];
const name = fc.constantFrom(...EXCHANGES);
const key = fc.constantFrom('', 'k', 'k.l', 'l', '#', '*.l', 'k.#');
const headers = fc.option(
  fc.dictionary(fc.constantFrom('h', 'i', 'x-h'), fc.constantFrom(1, '1', null), { maxKeys: 2 }),
);

const exchange = fc
  .record({
    name,
    type: fc.constantFrom<Exchange['type']>('direct', 'fanout', 'topic', 'headers'),
    alternateExchange: fc.option(name),
    internal: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
  })
  .map(parseExchange);

const binding = fc
  .record({
    exchange: name,
    destination: fc.oneof(
      fc.record({ type: fc.constant('queue' as const), name: fc.constantFrom(...QUEUES) }),
      fc.record({ type: fc.constant('exchange' as const), name }),
    ),
    routingKey: key,
    headers,
    match: fc.constantFrom<Binding['match']>('all', 'any', 'all-with-x', 'any-with-x'),
  })
  .map(parseBinding);

type Change =
  | { readonly do: 'addExchange'; readonly exchange: Exchange }
  | { readonly do: 'removeExchange'; readonly name: string }
  | { readonly do: 'addBinding'; readonly binding: Binding }
  | { readonly do: 'removeBinding'; readonly pick: number }
  | { readonly do: 'removeQueue'; readonly name: string };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('addExchange' as const), exchange }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeExchange' as const), name }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('addBinding' as const), binding }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('removeBinding' as const), pick: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('removeQueue' as const),
      name: fc.constantFrom(...QUEUES),
    }),
  },
);

/** The model: two lists, changed as the rules read. Says whether the router must refuse. */
function applyToModel(model: NaiveTopology, step: Change): 'done' | 'refused' {
  const exists = (wanted: string): boolean => model.exchanges.some((each) => each.name === wanted);
  const keep = (isKept: (each: Binding) => boolean): void => {
    model.bindings = model.bindings.filter(isKept);
  };
  switch (step.do) {
    case 'addExchange': {
      const present = model.exchanges.find((each) => each.name === step.exchange.name);
      if (present !== undefined) {
        return JSON.stringify(present) === JSON.stringify(step.exchange) ? 'done' : 'refused';
      }
      model.exchanges.push(step.exchange);
      return 'done';
    }
    case 'removeExchange':
      model.exchanges = model.exchanges.filter((each) => each.name !== step.name);
      keep((each) => each.exchange !== step.name);
      keep((each) => each.destination.type === 'queue' || each.destination.name !== step.name);
      return 'done';
    case 'addBinding': {
      const { exchange: source, destination } = step.binding;
      if (!exists(source)) return 'refused';
      if (destination.type === 'exchange' && !exists(destination.name)) return 'refused';
      keep((each) => bindingKey(each) !== bindingKey(step.binding));
      model.bindings.push(step.binding);
      return 'done';
    }
    case 'removeBinding': {
      const picked = model.bindings[step.pick % model.bindings.length];
      keep((each) => each !== picked);
      return 'done';
    }
    case 'removeQueue':
      keep((each) => each.destination.type === 'exchange' || each.destination.name !== step.name);
      return 'done';
  }
}

function applyToRouter(router: Router, step: Change, model: NaiveTopology): 'done' | 'refused' {
  try {
    if (step.do === 'addExchange') router.addExchange(step.exchange);
    if (step.do === 'removeExchange') router.removeExchange(step.name);
    if (step.do === 'addBinding') router.addBinding(step.binding);
    if (step.do === 'removeQueue') router.removeQueue(step.name);
    if (step.do === 'removeBinding' && model.bindings.length > 0) {
      router.removeBinding(model.bindings[step.pick % model.bindings.length]!);
    }
    return 'done';
  } catch (error) {
    if (error instanceof MessageQueueError) return 'refused';
    throw error;
  }
}

const sortedKeys = (bindings: readonly Binding[]): string[] => bindings.map(bindingKey).toSorted();

test('agrees with the rules applied naively, in any history of changes', () => {
  const seen = { routed: 0, unroutable: 0, several: 0 };
  const probe = fc.record({ key, headers });
  const histories = fc.array(fc.tuple(change, probe), {
    minLength: 10,
    maxLength: 60,
    size: 'max',
  });
  fc.assert(
    fc.property(histories, (history) => {
      const router = new Router({ hasQueue: (queue) => QUEUES.includes(queue) });
      const model: NaiveTopology = { exchanges: [], bindings: [] };
      for (const [step, message] of history) {
        const answer = applyToRouter(router, step, model);
        assert.equal(answer, applyToModel(model, step), JSON.stringify(step));
        for (const { name: start, internal } of model.exchanges) {
          if (internal) continue;
          const expected = [...naiveRoute(model, start, message.key, message.headers)].toSorted();
          // Often enough for the cache to take it in: the next change must not leave it there.
          for (let i = 0; i <= ROUTE_CACHE_ADMITS_ONE_IN; i++) {
            const { queues } = router.route(start, message.key, message.headers);
            assert.deepEqual(queues.toSorted(), expected);
          }
          seen[expected.length === 0 ? 'unroutable' : 'routed']++;
          if (expected.length > 1) seen.several++;
        }
      }
      assert.deepEqual(sortedKeys(router.listBindings()), sortedKeys(model.bindings));
      const { exchanges, bindings } = model;
      const rebuilt = new Router({ exchanges, bindings, hasQueue: () => true });
      assert.deepEqual(rebuilt.orphans, []);
      assert.deepEqual(sortedKeys(rebuilt.listBindings()), sortedKeys(bindings));
    }),
    { numRuns: 300 },
  );
  for (const [kind, count] of Object.entries(seen)) {
    assert.ok(count > 300, `only ${count} probes were ${kind}`);
  }
});
