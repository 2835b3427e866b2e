/**
 * The heads of a group, as they are in a value: their sequences, six bytes each. A group whose
 * messages are held one at a time has one.
 */
import { get48, put48 } from './keys.ts';

const LENGTH = 6;

export function headCount(heads: Uint8Array | undefined): number {
  return heads === undefined ? 0 : heads.length / LENGTH;
}

export function headsOf(heads: Uint8Array | undefined): number[] {
  return Array.from({ length: headCount(heads) }, (_, index) => get48(heads!, index * LENGTH));
}

export function encodeHeads(sequences: readonly number[]): Uint8Array {
  const heads = Buffer.allocUnsafe(sequences.length * LENGTH);
  for (const [index, sequence] of sequences.entries()) put48(heads, sequence, index * LENGTH);
  return heads;
}
