import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MinHeap } from '../../../src/drivers/lmdb/heap.ts';

test('a heap gives the smallest first', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (keys) => {
      const heap = new MinHeap<string>();
      for (const key of keys) heap.push(key, String(key));
      heap.retain((key) => key % 3 !== 0);
      const expected = keys.filter((key) => key % 3 !== 0).toSorted((a, b) => a - b);
      const actual: number[] = [];
      while (heap.size > 0) {
        actual.push(heap.minKey);
        assert.equal(heap.pop(), String(actual.at(-1)));
      }
      assert.deepEqual(actual, expected);
      assert.equal(heap.minKey, Infinity);
    }),
  );
});
