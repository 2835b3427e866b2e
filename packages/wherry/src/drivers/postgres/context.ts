import type { Database } from './database.ts';

/** What the calls of a driver work with. */
export interface DataContext {
  readonly database: Database;
  readonly notifier: {
    /** Something changed in a queue, by a transaction that has ended. */
    happened(queueNumber: number, what: 'ready' | 'room'): void;
  };
}
