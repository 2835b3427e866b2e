import { Random } from '../../../wherry/test/crash/random.ts';

/** @returns a whole number from 0 on, below `below` */
export type RandomNumber = (below: number) => number;

/** The same numbers for the same seed. */
export function numbersFrom(seed: number): RandomNumber {
  const random = new Random(seed);
  return (below) => random.integer(0, below - 1);
}
