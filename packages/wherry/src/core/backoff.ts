import type { Backoff } from './queue-settings.ts';

/**
 * How long to wait before a retry.
 * @param retryCount retries made so far: 0 before the first
 * @param random a number from 0 (included) to 1 (excluded)
 * @returns whole milliseconds
 */
export function backoffDelay(backoff: Backoff, retryCount: number, random: number): number {
  const capped =
    backoff.type === 'fixed'
      ? backoff.delay
      : Math.min(backoff.delay * backoff.factor ** retryCount, backoff.maxDelay);
  // "Equal jitter" generalised: at 1 anywhere from 0 to the wait, at 0 the wait itself.
  return Math.round(capped * (1 - backoff.jitter * random));
}
