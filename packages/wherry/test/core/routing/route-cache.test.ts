import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ROUTE_CACHE_ADMITS_ONE_IN,
  ROUTE_CACHE_SIZE_MAX,
  RouteCache,
  type RouteResult,
} from '../../../src/core/routing/route-cache.ts';

const resultOf = (queues: number): RouteResult => ({
  queues: Array.from({ length: queues }, (_, i) => `q${i}`),
  unroutable: queues === 0,
});

/** Offers until it is taken. */
function admit(cache: RouteCache, exchange: string, key: string, result: RouteResult): void {
  for (let i = 0; i < ROUTE_CACHE_ADMITS_ONE_IN && !cache.get(exchange, key); i++) {
    cache.offer(exchange, key, result);
  }
}

test('answers for the exchange and key that it took in, until it is cleared', () => {
  const cache = new RouteCache();
  const result = resultOf(1);
  admit(cache, 'x', 'k', result);
  assert.equal(cache.get('x', 'k'), result);
  assert.equal(cache.get('x', 'other'), undefined);
  assert.equal(cache.get('k', 'x'), undefined);
  cache.clear();
  assert.equal(cache.get('x', 'k'), undefined);
});

test('keys in use are all there after so many rounds; keys that come once mostly are not', () => {
  const cache = new RouteCache();
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  const known = (): number => keys.filter((key) => cache.get('x', key) !== undefined).length;
  const round = (): void => {
    for (const key of keys) if (!cache.get('x', key)) cache.offer('x', key, resultOf(1));
  };
  round();
  assert.equal(known(), Math.floor(keys.length / ROUTE_CACHE_ADMITS_ONE_IN));
  for (let i = 0; i < 100; i++) round();
  assert.ok(known() > keys.length - ROUTE_CACHE_ADMITS_ONE_IN, `${known()} of ${keys.length}`);
});

test('is bounded by the queues that it holds, and starts again when full', () => {
  const cache = new RouteCache();
  const held = (): string[] => keys.filter((key) => cache.get('x', key) !== undefined);
  const fitting = 10;
  const result = resultOf(ROUTE_CACHE_SIZE_MAX / fitting - 1);
  const keys = Array.from({ length: fitting + 1 }, (_, i) => `k${i}`);
  for (const key of keys.slice(0, fitting)) admit(cache, 'x', key, result);
  assert.deepEqual(held(), keys.slice(0, fitting));
  admit(cache, 'x', keys[fitting]!, result);
  assert.deepEqual(held(), keys.slice(fitting));
  for (const key of keys.slice(1, fitting)) admit(cache, 'x', key, result);
  assert.deepEqual(held(), keys.slice(1), 'there is as much room as before');
});

test('leaves out what alone would fill it, and keeps the rest', () => {
  const cache = new RouteCache();
  admit(cache, 'x', 'small', resultOf(1));
  admit(cache, 'x', 'large', resultOf(ROUTE_CACHE_SIZE_MAX));
  assert.equal(cache.get('x', 'large'), undefined);
  assert.notEqual(cache.get('x', 'small'), undefined);
});
