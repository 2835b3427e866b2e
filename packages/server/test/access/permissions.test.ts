import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity } from '../../src/access/identity.ts';
import { isAllowed, matchesGlob, mayEnter } from '../../src/access/permissions.ts';

describe('globs', () => {
  const cases: [glob: string, name: string, matches: boolean][] = [
    ['*', '', true],
    ['*', 'anything/at.all', true],
    ['orders', 'orders', true],
    ['orders', 'orders2', false],
    ['orders', 'my-orders', false],
    ['orders.*', 'orders.eu', true],
    ['orders.*', 'orders', false],
    ['*.dead', 'a.dead', true],
    ['*.dead', 'a.dead.b', false],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXc', false],
    ['a**b', 'ab', true],
    ['', '', true],
    ['', 'x', false],
    // Nothing but * means anything but itself.
    ['a.c', 'abc', false],
    ['a?c', 'abc', false],
    ['[ab]', 'a', false],
    ['(a|b)+', 'aa', false],
    ['.*', 'x', false],
    ['.*', '.x', true],
    ['^a$', 'a', false],
    ['a*', 'A', false],
    ['*', 'a*b', true],
    ['a*b', 'a*b', true],
    [String.raw`a\*`, 'a*', false],
    ['ä*', 'äö😀', true],
    ['*\u0000', 'a', false],
  ];
  for (const [glob, name, matches] of cases) {
    test(`${JSON.stringify(glob)} ${matches ? 'is' : 'is not'} ${JSON.stringify(name)}`, () => {
      assert.equal(matchesGlob(glob, name), matches);
    });
  }

  test('a pattern made to take long does not', () => {
    const glob = `${'*a'.repeat(127)}b`;
    const name = 'a'.repeat(255);
    const start = performance.now();
    for (let i = 0; i < 100; i++) assert.equal(matchesGlob(glob, name), false);
    const ms = (performance.now() - start) / 100;
    assert.ok(ms < 5, `${ms} ms`);
  });
});

function identity(permissions: Identity['permissions']): Identity {
  return { kind: 'user', name: 'ada', admin: false, permissions };
}

test('a permission holds in its virtual host, for its action, and for no other', () => {
  const ada = identity([{ vhost: 'a', configure: [], write: ['out.*'], read: ['in.*'] }]);
  assert.ok(isAllowed(ada, 'a', 'write', 'out.1'));
  assert.ok(isAllowed(ada, 'a', 'read', 'in.1'));
  assert.ok(!isAllowed(ada, 'a', 'read', 'out.1'));
  assert.ok(!isAllowed(ada, 'a', 'configure', 'out.1'));
  assert.ok(!isAllowed(ada, 'b', 'write', 'out.1'));
  assert.ok(!isAllowed(ada, '/', 'write', 'out.1'));
});

test('the name of a virtual host is no pattern', () => {
  const ada = identity([{ vhost: '*', configure: ['*'], write: ['*'], read: ['*'] }]);
  assert.ok(mayEnter(ada, '*'));
  assert.ok(!mayEnter(ada, 'a'));
  assert.ok(!isAllowed(ada, 'a', 'read', 'x'));
});

test('a permission for nothing lets nobody in', () => {
  const ada = identity([{ vhost: '/', configure: [], write: [], read: [] }]);
  assert.ok(!mayEnter(ada, '/'));
});

test('an administrator may do everything everywhere', () => {
  const root = { ...identity([]), admin: true };
  assert.ok(mayEnter(root, 'any'));
  assert.ok(isAllowed(root, 'any', 'configure', 'x'));
});
