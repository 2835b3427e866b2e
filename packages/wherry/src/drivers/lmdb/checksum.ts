import { crc32 } from 'node:zlib';

/** Longer input is faster in native code, whose call costs more than a short input takes. */
const NATIVE_FROM = 256;
/** CRC-32 as in zip and PNG, bit-reversed. */
const POLYNOMIAL = 0xedb88320;

/** Table k says what a byte does to the sum when k more bytes follow it ("slicing by eight"). */
const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables();

/**
 * CRC-32 of a part of some bytes.
 * @param seed the sum of what came before
 * @returns a whole number from 0 to 2^32 - 1
 */
export function checksumOf(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_FROM) return crc32(bytes.subarray(start, end), seed);
  let sum = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    sum ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    sum =
      T7[sum & 255]! ^
      T6[(sum >>> 8) & 255]! ^
      T5[(sum >>> 16) & 255]! ^
      T4[sum >>> 24]! ^
      T3[bytes[at + 4]!]! ^
      T2[bytes[at + 5]!]! ^
      T1[bytes[at + 6]!]! ^
      T0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) sum = T0[(sum ^ bytes[at]!) & 255]! ^ (sum >>> 8);
  return ~sum >>> 0;
}

type Table = Int32Array<ArrayBuffer>;

function makeTables(): [Table, Table, Table, Table, Table, Table, Table, Table] {
  const t0 = new Int32Array(256).map((_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? POLYNOMIAL ^ (sum >>> 1) : sum >>> 1;
    return sum;
  });
  const next = (table: Table): Table => table.map((sum) => t0[sum & 255]! ^ (sum >>> 8));
  const [t1, t2, t3] = [next(t0), next(next(t0)), next(next(next(t0)))];
  const t4 = next(t3);
  const t5 = next(t4);
  const t6 = next(t5);
  return [t0, t1, t2, t3, t4, t5, t6, next(t6)];
}
