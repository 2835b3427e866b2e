import type { DeathEntry } from '../history.ts';
import type { RuleName } from '../checker/findings.ts';
import { MadeHistory } from './made-history.ts';

/** A history, and the rules that it breaks. */
export type Case = readonly [what: string, broken: readonly RuleName[], history: MadeHistory];

export const made = (): MadeHistory => new MadeHistory();

/** What a second delivery after a failed first one says. */
export const redelivered: { readonly deliveryCount: number; readonly retryCount: number } = {
  deliveryCount: 2,
  retryCount: 1,
};

/** The deaths of what failed too often in `q`. */
export const DIED: readonly DeathEntry[] = [['q', 'max-retries', 1]];

/** Delivered three times, as often as `q` allows, and failed each time. */
export const failedThrice = (): MadeHistory =>
  [0, 1, 2].reduce(
    (history, retries) =>
      history
        .deliver('a', { deliveryCount: retries + 1, retryCount: retries })
        .settle('retry', 'a'),
    made().send('a'),
  );
