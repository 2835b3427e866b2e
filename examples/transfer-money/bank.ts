import pg from 'pg';

export const ACCOUNTS = 10;
export const OPENING_BALANCE = 1_000;

/** What a message of the queue says: the number of a transfer in the table. */
export interface TransferMessage {
  readonly transfer: number;
}

/** A bank's tables, in a schema of their own. */
export class Bank {
  readonly pool: pg.Pool;

  constructor(url: string) {
    this.pool = new pg.Pool({ connectionString: url });
  }

  /** Makes the tables anew, with some money in every account. */
  async open(): Promise<void> {
    await this.pool.query(`
      DROP SCHEMA IF EXISTS bank CASCADE;
      CREATE SCHEMA bank;
      CREATE TABLE bank.account (number int PRIMARY KEY, balance int NOT NULL);
      CREATE TABLE bank.transfer (
        number int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        debit int NOT NULL REFERENCES bank.account,
        credit int NOT NULL REFERENCES bank.account,
        amount int NOT NULL
      );
      -- Nothing here forbids that a transfer is booked twice: that is for the queue to see to.
      CREATE TABLE bank.booking (transfer int NOT NULL REFERENCES bank.transfer);
    `);
    await this.pool.query(
      'INSERT INTO bank.account SELECT n, $2 FROM generate_series(1, $1) AS n',
      [ACCOUNTS, OPENING_BALANCE],
    );
  }

  /** Does `work` in one transaction, or not at all. */
  async transaction<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
    const tx = await this.pool.connect();
    try {
      await tx.query('BEGIN');
      const result = await work(tx);
      await tx.query('COMMIT');
      return result;
    } catch (error) {
      await tx.query('ROLLBACK');
      throw error;
    } finally {
      tx.release();
    }
  }

  /** Writes down what a customer wants. @returns its number */
  async order(tx: pg.PoolClient, debit: number, credit: number, amount: number): Promise<number> {
    const { rows } = await tx.query<{ number: number }>(
      'INSERT INTO bank.transfer (debit, credit, amount) VALUES ($1, $2, $3) RETURNING number',
      [debit, credit, amount],
    );
    return rows[0]!.number;
  }

  /** Moves the money. */
  async book(tx: pg.PoolClient, transfer: number): Promise<void> {
    // One statement for both accounts, in the order of their numbers: no two transfers deadlock.
    await tx.query(
      `UPDATE bank.account SET balance = balance + change
       FROM (
         SELECT account.number, CASE account.number WHEN debit THEN -amount ELSE amount END AS change
         FROM bank.transfer JOIN bank.account ON account.number IN (debit, credit)
         WHERE transfer.number = $1 ORDER BY account.number
         FOR NO KEY UPDATE OF account
       ) AS changed
       WHERE account.number = changed.number`,
      [transfer],
    );
    await tx.query('INSERT INTO bank.booking VALUES ($1)', [transfer]);
  }

  async countBookings(): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM bank.booking',
    );
    return rows[0]!.count;
  }

  /** Holds the books against each other. */
  async audit(): Promise<Audit> {
    const { rows } = await this.pool.query<Audit>(`
      SELECT
        (SELECT sum(balance)::int FROM bank.account) AS balance,
        (SELECT count(*)::int FROM bank.transfer) AS ordered,
        (SELECT count(DISTINCT transfer)::int FROM bank.booking) AS booked,
        (SELECT count(*)::int FROM bank.booking) - (SELECT count(DISTINCT transfer)::int FROM bank.booking)
          AS doubled,
        (SELECT count(*)::int FROM bank.account WHERE balance <> ${OPENING_BALANCE}
          - coalesce((SELECT sum(amount) FROM bank.transfer WHERE debit = account.number), 0)
          + coalesce((SELECT sum(amount) FROM bank.transfer WHERE credit = account.number), 0)) AS wrong
    `);
    return rows[0]!;
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}

export interface Audit {
  /** All money there is. */
  readonly balance: number;
  /** Transfers that customers wanted, those that were booked, and bookings beyond the first. */
  readonly ordered: number;
  readonly booked: number;
  readonly doubled: number;
  /** Accounts whose balance is not what their transfers make of it. */
  readonly wrong: number;
}
