import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { folderOf, newPlace, storeOf } from '../../src/vhosts/place.ts';

describe('the store of a virtual host', () => {
  const cases: [store: string, expected: string][] = [
    ['./wherry-data', 'lmdb:wherry-data/vhosts/shop_1'],
    ['/var/lib/wherry', 'lmdb:/var/lib/wherry/vhosts/shop_1'],
    ['lmdb:data', 'lmdb:data/vhosts/shop_1'],
    ['file:///srv/mq', 'lmdb:/srv/mq/vhosts/shop_1'],
    ['memory:', 'memory:'],
    ['redis://h', 'redis://h?prefix=wherry%3Avhost%3Ashop_1'],
    [
      'rediss://u:p@h:1/2?ca=x%20y&prefix=a%20b',
      'rediss://u:p@h:1/2?ca=x%20y&prefix=a%20b%3Avhost%3Ashop_1',
    ],
    [
      'redis-cluster://a,b?waitReplicas=1',
      'redis-cluster://a,b?waitReplicas=1&prefix=wherry%3Avhost%3Ashop_1',
    ],
    ['postgres://u@h/db', 'postgres://u@h/db?wherry_schema=wherry_shop_1'],
    [
      'postgresql://h/db?wherry_schema=mq&sslmode=require',
      'postgresql://h/db?sslmode=require&wherry_schema=mq_shop_1',
    ],
  ];
  for (const [store, expected] of cases) {
    test(store, () => assert.equal(storeOf(store, 'shop_1'), expected));
  }

  test('where it is not known how, it is refused', () => {
    assert.throws(() => storeOf('http://broker:7470', 'shop_1'), { code: 'UNSUPPORTED' });
  });
});

test('a place is letters and digits, whatever the name, and never the same twice', () => {
  const names = [
    'shop',
    'Shop',
    '../../etc',
    '..',
    '',
    '/',
    'CON',
    'ÄÖ',
    '😀',
    'a'.repeat(255),
    '__proto__',
  ];
  const places = names.flatMap((name) => [newPlace(name), newPlace(name)]);
  for (const place of places) assert.match(place, /^[a-z0-9]{1,12}_[0-9a-f]{12}$/);
  assert.equal(new Set(places).size, places.length);
});

test('only a folder has a folder', () => {
  assert.equal(folderOf('data', 'shop_1'), 'data/vhosts/shop_1');
  for (const store of ['memory:', 'redis://h', 'postgres://h/d'])
    assert.equal(folderOf(store, 'x'), null);
});
