import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TopicTrie } from '../../../src/core/routing/topic.ts';
import { naiveTopicMatch } from './naive.ts';

function trieOf(...patterns: string[]): TopicTrie<string> {
  const trie = new TopicTrie<string>();
  for (const pattern of patterns) trie.add(pattern, pattern);
  return trie;
}

function assertMatches(patterns: string[], key: string, expected: string[]): void {
  assert.deepEqual([...trieOf(...patterns).match(key)].toSorted(), expected.toSorted(), key);
}

test('a pattern without wildcards matches its own key only', () => {
  assertMatches(['a.b'], 'a.b', ['a.b']);
  for (const key of ['', 'a', 'b', 'a.b.c', 'A.b', 'a.b.', '.a.b']) assertMatches(['a.b'], key, []);
});

test('* stands for exactly one word, the empty word included', () => {
  assertMatches(['*'], 'a', ['*']);
  assertMatches(['*.*'], '.', ['*.*']);
  assertMatches(['*'], '', []);
  assertMatches(['*'], 'a.b', []);
  assertMatches(['a.*.c'], 'a.b.c', ['a.*.c']);
  assertMatches(['a.*.c'], 'a.c', []);
});

test('# stands for zero or more words', () => {
  for (const key of ['', 'a', 'a.b', '..']) assertMatches(['#'], key, ['#']);
  for (const key of ['a', 'a.b', 'a.b.c']) assertMatches(['a.#'], key, ['a.#']);
  assertMatches(['a.#'], 'ab', []);
  for (const key of ['a.c', 'a.b.c', 'a.b.b.c', 'a.c.c']) assertMatches(['a.#.c'], key, ['a.#.c']);
  assertMatches(['a.#.c'], 'a', []);
  assertMatches(['#.*'], '', []);
  assertMatches(['#.*'], 'a', ['#.*']);
});

test('the example of the AMQP specification', () => {
  assertMatches(['*.stock.#'], 'usd.stock', ['*.stock.#']);
  assertMatches(['*.stock.#'], 'eur.stock.db', ['*.stock.#']);
  assertMatches(['*.stock.#'], 'stock.nasdaq', []);
});

test('a wildcard within a word is plain text, and so is one in a key', () => {
  assertMatches(['stock*', 'stock#'], 'stock*', ['stock*']);
  assertMatches(['stock*'], 'stocks', []);
  assertMatches(['a.b', 'a.*', 'a.#'], 'a.#', ['a.*', 'a.#']);
  assertMatches(['a.b', 'a.#.c'], 'a.*', []);
});

test('a value under several matching patterns comes once', () => {
  const trie = new TopicTrie<string>();
  for (const pattern of ['lazy.#', '*.*.rabbit', '#', '#.#']) trie.add(pattern, 'q');
  trie.add('#', 'q');
  assert.deepEqual([...trie.match('lazy.pink.rabbit')], ['q']);
});

test('remove takes one value from one pattern and leaves the rest', () => {
  const trie = trieOf('a.*', 'a.*.b');
  trie.add('a.*', 'second');
  assert.equal(trie.remove('a.*', 'a.*'), true);
  assert.equal(trie.remove('a.*', 'a.*'), false);
  assert.equal(trie.remove('a', 'second'), false);
  assert.equal(trie.remove('nowhere.#', 'second'), false);
  assert.deepEqual([...trie.match('a.x')], ['second']);
  assert.deepEqual([...trie.match('a.x.b')], ['a.*.b']);
});

test('remove prunes the nodes that nothing needs any more', () => {
  const trie = trieOf('a.b.c', 'a.b', 'a.*.#', '');
  assert.equal(trie.nodeCount, 6);
  trie.remove('a.b.c', 'a.b.c');
  assert.equal(trie.nodeCount, 5);
  trie.remove('a.*.#', 'a.*.#');
  assert.equal(trie.nodeCount, 3);
  trie.remove('a.b', 'a.b');
  trie.remove('', '');
  assert.equal(trie.nodeCount, 1);
  assert.deepEqual([...trie.match('a.b')], []);
});

const word = fc.constantFrom('a', 'b', '*', '#', '', 'a*');
const text = fc.array(word, { maxLength: 7 }).map((all) => all.join('.'));

test('agrees with the rules applied naively, while patterns come and go', () => {
  let matched = 0;
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 12 }),
      fc.array(fc.nat(11), { maxLength: 6 }),
      fc.array(text, { minLength: 1, maxLength: 8 }),
      (patterns, removals, keys) => {
        const trie = trieOf(...patterns);
        const present = new Set(patterns);
        for (const removal of removals) {
          const pattern = patterns[removal];
          if (pattern === undefined) continue;
          assert.equal(trie.remove(pattern, pattern), present.delete(pattern));
        }
        assert.equal(trie.nodeCount, trieOf(...present).nodeCount);
        for (const key of keys) {
          const expected = [...present].filter((pattern) => naiveTopicMatch(pattern, key));
          assert.deepEqual([...trie.match(key)].toSorted(), expected.toSorted(), key);
          matched += expected.length;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(matched > 1_000, `only ${matched} matches were compared`);
});

const LONGEST_KEY_WORDS = 128;
const longestKey = Array.from({ length: LONGEST_KEY_WORDS }, () => 'a').join('.');

test('patterns made to backtrack cost at most words x nodes', () => {
  const many = (words: string[], times: number): string =>
    Array.from({ length: times }, () => words.join('.')).join('.');
  const adversaries = [
    [many(['#'], 128)],
    [many(['#', 'a'], 64) + '.b'],
    [many(['#', '*'], 64)],
    [
      many(['#', 'a'], 63),
      many(['#', '*'], 63) + '.b',
      many(['#', '#', 'a'], 42),
      many(['*'], 128),
    ],
  ];
  for (const patterns of adversaries) {
    const trie = trieOf(...patterns);
    trie.match(longestKey);
    const bound = (LONGEST_KEY_WORDS + 1) * trie.nodeCount;
    assert.ok(trie.visits <= bound, `${trie.visits} visits, ${bound} allowed: ${patterns[0]}`);
  }
});

test('the cost of a match follows the words of the key, not the number of bindings', () => {
  const visitsAmong = (bindings: number): number => {
    const trie = new TopicTrie<number>();
    for (let i = 0; i < bindings; i++) {
      trie.add(`order.${i}.created`, i);
      trie.add(`*.${i}.#`, i);
      trie.add(`#.${i}`, i);
      trie.add('order.#', i);
    }
    assert.equal(trie.match('order.7.created').size, bindings);
    return trie.visits;
  };
  assert.equal(visitsAmong(20_000), visitsAmong(20));
});
