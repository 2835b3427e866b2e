import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaitHistogram, waitQuantile } from '../../src/core/wait-histogram.ts';

test('a quantile is right to a fifth, from a millisecond to days', () => {
  for (const ms of [1, 2, 17, 100, 999, 60_000, 3_600_000, 86_400_000]) {
    const histogram = new WaitHistogram();
    for (let i = 0; i < 100; i += 1) histogram.observe(ms);
    const told = waitQuantile(histogram.counts(), 0.5)!;
    assert.ok(told >= ms && told <= ms * 1.2, `${told} for ${ms}`);
  }
});

test('quantiles part the messages; what is out of bounds counts at the bound', () => {
  const histogram = new WaitHistogram();
  assert.equal(waitQuantile(histogram.counts(), 0.5), null);
  for (let i = 0; i < 98; i += 1) histogram.observe(-5);
  histogram.observe(64);
  histogram.observe(Infinity);
  const counts = histogram.counts();
  assert.equal(waitQuantile(counts, 0.5), 1);
  assert.equal(waitQuantile(counts, 0.99), 64);
  assert.ok(waitQuantile(counts, 1)! > 86_400_000);
});
