const MIN_MS = 20;
const MAX_MS = 2_000;

/**
 * So that a thousand clients do not all come back at one moment.
 * @param attempt how many have failed
 * @param random from 0 to 1
 * @returns milliseconds until the next
 */
export function backoff(attempt: number, random: number): number {
  const longest = Math.min(MIN_MS * 2 ** attempt, MAX_MS);
  return longest / 2 + (longest / 2) * random;
}
