import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzDecoder } from './fuzz-decoder.ts';

/** `npm run fuzz:amqp` goes on for as long as one likes. */
const CASES = 1_000_000;

test('a million changed frames are decoded, or refused with an error of AMQP', (t) => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const { cases, decoded, refused } = fuzzDecoder(seed, (done) => done >= CASES);
  assert.ok(cases >= CASES);
  // Changes that are all refused, or all harmless, would test half of the decoder.
  assert.ok(decoded > cases / 20 && refused > cases / 4, `${decoded} decoded, ${refused} refused`);
});
