import type { LeasedMessage, Receipt, ReleaseItem } from './driver.ts';
import type { NewDeath } from './message.ts';

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

/** A settlement that was asked for. */
export interface SettlementEntry {
  readonly held: Claim;
  readonly done: Done<Claim>;
}

export interface SettleEntry extends SettlementEntry {
  /** What an acknowledged message did, when it did not end by acknowledgement. */
  readonly as: 'acknowledged' | 'expired' | 'dropped';
}

export interface ReleaseEntry extends SettlementEntry {
  readonly item: ReleaseItem;
  readonly released: () => void;
}

export interface MoveEntry {
  readonly held: Held;
  readonly done: Done;
  /** To each of these, or, if there is none, out of the store. */
  readonly to: readonly string[];
  readonly death: NewDeath;
  /** Whether a handler had it: else nothing may count. */
  readonly started: boolean;
}
