import type { LeasedMessage, Receipt } from './driver.ts';

/** The proof of a lease, and what is known of the message. */
export interface Claim extends Receipt {
  readonly stored?: LeasedMessage;
  /** A transaction of the caller acknowledged it: when it commits, the lease is rightly gone. */
  readonly inTransaction?: boolean;
  /** A settlement before this one may have taken effect: the lease may rightly be gone. */
  readonly inDoubt?: boolean;
}

/** A leased message with the proof of the lease. */
export interface Held extends Claim {
  readonly stored: LeasedMessage;
}

/** Told how a settlement went: null, or the error. */
export type Done<T extends Claim = Held> = (held: T, error: Error | null) => void;
