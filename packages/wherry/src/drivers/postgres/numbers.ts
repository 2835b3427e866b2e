/** Numbers as the database takes them. */

/** @returns null for what has no limit */
export function finite(limit: number): number | null {
  return limit === Infinity ? null : limit;
}
