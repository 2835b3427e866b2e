import type { Capabilities, Driver, Transaction } from './driver.ts';
import { UnsupportedError } from './errors.ts';
import { type CallerTransaction, transactionOf } from './transaction.ts';

/** What a store may be unable to do: it is `true`, or a reason. */
type Capability = {
  [Name in keyof Capabilities]-?: true extends Capabilities[Name]
    ? string extends Exclude<Capabilities[Name], true>
      ? Name
      : never
    : never;
}[keyof Capabilities];

/**
 * @param what what was asked for, for the error
 * @throws UnsupportedError with the store's own reason
 */
export function requireSupport(
  driver: Pick<Driver, 'name' | 'supports'>,
  capability: Capability,
  what: string,
): void {
  const supported = driver.supports[capability];
  if (supported !== true) throw new UnsupportedError(what, driver.name, supported);
}

/**
 * The caller's transaction as the store's driver uses it.
 * @throws UnsupportedError when the store can join none
 * @throws ValidationError when it is no transaction
 */
export function joinTransaction(
  driver: Pick<Driver, 'name' | 'supports'>,
  tx: CallerTransaction,
): Transaction {
  requireSupport(driver, 'transactions', 'transactions of the caller');
  return transactionOf(tx);
}
