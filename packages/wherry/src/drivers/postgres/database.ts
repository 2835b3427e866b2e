import type { Transaction } from '../../core/driver.ts';
import type { FunctionName } from './functions.ts';

/** A value as a function of the database takes it; arrays are given as PostgreSQL writes them. */
export type Argument = string | number | boolean | null | Uint8Array;

export interface CallOptions {
  /** Where the call takes part in what the caller has begun. */
  readonly transaction?: Transaction | undefined;
  /** It only reads: if the connection breaks in the middle of it, it is called again. */
  readonly repeatable?: boolean;
}

/** The database, to those who keep messages in it. */
export interface Database {
  /** Drawn once for the store: part of its messages' ids. */
  readonly salt: number;
  /** A test's time, for the first argument of every function; null: the server's own (G14). */
  clockTime(): number | null;
  /**
   * Calls one function of the schema: one statement, one transaction, one round trip. What failed
   * only because of who else was at work is repeated, but not in a caller's transaction.
   * @throws StorageError
   */
  call<Row>(
    name: FunctionName,
    args: readonly Argument[],
    options?: CallOptions,
  ): Promise<readonly Row[]>;
}
