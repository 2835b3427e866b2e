import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Headers } from '../../../src/core/message.ts';
import type { HeadersMatch } from '../../../src/core/routing/exchange.ts';
import { headersTest } from '../../../src/core/routing/headers-match.ts';
import { naiveHeadersMatch } from './naive.ts';

const matches = (wanted: Headers | null, match: HeadersMatch, headers: Headers | null): boolean =>
  headersTest(wanted, match)(headers);

test('all asks for every header, any for at least one', () => {
  const wanted = { format: 'pdf', type: 'report' };
  const both = { format: 'pdf', type: 'report', size: 3 };
  const one = { format: 'pdf', type: 'log' };
  const none = { format: 'zip' };
  assert.deepEqual(
    [both, one, none, {}, null].map((headers) => matches(wanted, 'all', headers)),
    [true, false, false, false, false],
  );
  assert.deepEqual(
    [both, one, none, {}, null].map((headers) => matches(wanted, 'any', headers)),
    [true, true, false, false, false],
  );
});

test('values are equal only within their type; numbers compare by value', () => {
  const cases: [Headers[string], Headers[string], boolean][] = [
    [1, 1, true],
    [1, 1.0, true],
    [0, -0, true],
    [1, 1.5, false],
    [1, '1', false],
    ['1', 1, false],
    [1, true, false],
    [true, true, true],
    [false, 0, false],
    [false, null, false],
    ['', null, false],
    ['', false, false],
    ['a', 'A', false],
    ['true', true, false],
  ];
  for (const [wanted, value, expected] of cases) {
    assert.equal(matches({ h: wanted }, 'all', { h: value }), expected, `${wanted} and ${value}`);
    assert.equal(matches({ h: wanted }, 'any', { h: value }), expected, `${wanted} and ${value}`);
  }
});

test('null asks for presence, whatever the value', () => {
  for (const value of [0, '', false, null, 'x']) {
    assert.equal(matches({ h: null }, 'all', { h: value }), true);
  }
  assert.equal(matches({ h: null }, 'all', { other: 1 }), false);
  const leftUndefined = { h: undefined } as unknown as Headers;
  assert.equal(matches({ h: null }, 'all', leftUndefined), false);
});

test('names that every object inherits are not headers of every message', () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty', '__proto__']) {
    const wanted = JSON.parse(`{ "${name}": null }`) as Headers;
    assert.equal(matches(wanted, 'all', { other: 1 }), false, name);
    assert.equal(matches(wanted, 'any', wanted), true, name);
  }
});

test('asked for nothing, all is content with anything and any with nothing', () => {
  for (const wanted of [null, {}, { 'x-only': 1 }] as (Headers | null)[]) {
    for (const headers of [null, {}, { h: 1 }] as (Headers | null)[]) {
      assert.equal(matches(wanted, 'all', headers), true);
      assert.equal(matches(wanted, 'any', headers), false);
    }
  }
});

test('names beginning with x- count in the with-x forms only', () => {
  const wanted = { 'x-tenant': 'a', h: 1 };
  const withoutX = { h: 1 };
  const onlyX = { 'x-tenant': 'a' };
  assert.equal(matches(wanted, 'all', withoutX), true);
  assert.equal(matches(wanted, 'all-with-x', withoutX), false);
  assert.equal(matches(wanted, 'all-with-x', { ...withoutX, ...onlyX }), true);
  assert.equal(matches(wanted, 'any', onlyX), false);
  assert.equal(matches(wanted, 'any-with-x', onlyX), true);
  assert.equal(matches({ xylophone: 1 }, 'all', {}), false, 'x without a dash always counts');
});

test('agrees with the rules applied naively', () => {
  const value = fc.constantFrom<Headers[string]>(null, 0, 1, '', '1', 'a', true, false);
  const headers = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'x-a', 'x-b'), value, {
    maxKeys: 4,
  });
  const match = fc.constantFrom<HeadersMatch>('all', 'any', 'all-with-x', 'any-with-x');
  let matched = 0;
  fc.assert(
    fc.property(headers, match, fc.option(headers), (wanted, how, given) => {
      const expected = naiveHeadersMatch(wanted, how, given);
      assert.equal(matches(wanted, how, given), expected);
      if (expected) matched++;
    }),
    { numRuns: 2_000 },
  );
  assert.ok(matched > 100, `only ${matched} matches were compared`);
});
