import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';

/**
 * Waits until no row is left that a library has yet to settle: it settles in batches, and tells of
 * none of them.
 */
export async function untilNone(pool: Pool, from: string): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ exists: boolean }>(`select exists (select from ${from})`);
    if (rows[0]?.exists !== true) return;
    await delay(2);
  }
}
