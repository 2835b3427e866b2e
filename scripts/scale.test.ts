import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './find-files.ts';
import {
  fewestMasters,
  fillPage,
  MEASURED,
  partitionsOf,
  place,
  slotOf,
  unevenQueues,
} from './scale.ts';

test('a key has the slot that Redis gives it', () => {
  // From the Redis Cluster specification, and CLUSTER KEYSLOT.
  assert.equal(slotOf('123456789'), 0x31c3);
  assert.equal(slotOf('foo'), 12_182);
  assert.equal(slotOf('user:{foo}:orders'), 12_182);
});

test('what the nodes do adds up to what there is to do', () => {
  const costs = { ...MEASURED, nodeMicros: 10 };
  const parts = unevenQueues(2_000, 400_000, costs);
  const rate = parts.reduce((sum, part) => sum + part.rate, 0);
  assert.ok(Math.abs(rate - 400_000) < 1);
  const { mean, busiest, masters } = place(parts, 8, costs);
  assert.ok(Math.abs(mean * masters - 4) < 1e-6);
  assert.ok(busiest >= mean && busiest <= 4);
});

test('a lone partition is no faster on a cluster, many partitions are', () => {
  const costs = { ...MEASURED, nodeMicros: 10 };
  assert.ok(place(partitionsOf(1, 100_000, 1), 10, costs).busiest === 1);
  assert.ok(place(partitionsOf(1, 100_000, 256), 10, costs).busiest < 0.2);
  const { masters, busiest } = fewestMasters(partitionsOf(1, 1_000_000, 256), costs);
  assert.ok(masters >= 15 && masters < 40 && busiest <= 0.7);
});

test('docs/scale.md has the tables of the script', () => {
  const page = readFileSync(join(root, 'docs', 'scale.md'), 'utf8');
  assert.equal((page.match(/<!-- scale: /g) ?? []).length, 3);
  assert.equal(fillPage(page), page, 'run: npx tsx scripts/scale.ts --write');
});
