import type { Death, NewDeath } from './message.ts';

/** How much a death record may hold. */
export interface DeathLimits {
  /** Most entries; the oldest is dropped. */
  readonly entriesMax: number;
}

export const DEATH_LIMITS: DeathLimits = { entriesMax: 32 };

/**
 * Records a death. Equal (queue, reason) are one entry: counted, with the latest time, error and
 * route, and moved to the end, so that the last entry always says why the message came here.
 * @param deaths the record so far; not changed
 * @param time milliseconds since 1970, by the store's clock
 * @returns the new record
 */
export function appendDeath(
  deaths: readonly Death[],
  death: NewDeath,
  time: number,
  limits: DeathLimits = DEATH_LIMITS,
): readonly Death[] {
  const isSame = (one: Death): boolean => one.queue === death.queue && one.reason === death.reason;
  const before = deaths.find(isSame)?.count ?? 0;
  const others = deaths.filter((one) => !isSame(one));
  return [...others, { ...death, time, count: before + 1 }].slice(-limits.entriesMax);
}
