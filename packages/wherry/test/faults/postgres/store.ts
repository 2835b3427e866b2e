/** Enough to have calls under way side by side; each session costs the server a start. */
const POOL_SIZE = 3;

/** Milliseconds after which a call without an answer has failed, and its connection is dead. */
export const SILENCE_MS = 4_000;

/** @returns the URL for processes that have the database of `url` and have things done to it */
export function forFaults(url: string): string {
  return `${url}?wherry_pool_size=${POOL_SIZE}&wherry_call_timeout=${SILENCE_MS}`;
}
