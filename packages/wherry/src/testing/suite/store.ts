import type { Clock } from '../../core/clock.ts';
import type { Driver } from '../../core/driver.ts';

/** A place where a driver stores, made for one test. */
export interface SuiteStore {
  /**
   * Makes a driver on this store, not opened yet. Called again after the driver before was closed
   * or crashed: it then finds what that one left.
   */
  connect(): Driver;
  /**
   * Ends the present driver as a killed process would: nothing more is written, its lock's owner
   * is gone. Called while no call is outstanding.
   */
  crash?(): Promise<void>;
  /** Removes all traces, once the driver is closed. */
  remove(): Promise<void>;
}

/** Makes an empty store for one test. @param clock the one that its drivers must read */
export type CreateStore = (clock: Clock) => Promise<SuiteStore>;
