import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { checksumOf } from '../../../src/drivers/lmdb/checksum.ts';

test('the checksum is CRC-32, whatever the length and the seed', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 21, maxLength: 600 }),
      fc.nat(20),
      fc.nat(),
      (bytes, start, seed) => {
        const from = Math.min(start, bytes.length);
        const expected = crc32(bytes.subarray(from), seed);
        assert.equal(checksumOf(bytes, from, bytes.length, seed), expected);
      },
    ),
    { numRuns: 1_000 },
  );
});
