import type { Driver } from '../../core/driver.ts';
import { LmdbDriver, type LmdbDriverOptions } from './driver.ts';

export type { LmdbDriverOptions } from './driver.ts';

/**
 * The embedded store: a folder on disk, no server. The backlog stays on disk; in memory is what is
 * in flight. A call that resolved survives a power cut.
 */
export function createLmdbDriver(options: LmdbDriverOptions): Driver {
  return new LmdbDriver(options);
}
