import type { Clock } from '../clock.ts';

/** @param ms milliseconds */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, ms);
  });
}
