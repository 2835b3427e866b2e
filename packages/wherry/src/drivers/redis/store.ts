import type { ScriptArgument, ScriptName } from './scripts.ts';

/** What the calls on messages need of an open store. */
export interface RedisStore {
  /** Drawn once per store: tells its message ids from another's. */
  readonly salt: number;
  /** Whether one script may touch several queues: not in a cluster. */
  readonly isOnePlace: boolean;
  /**
   * Runs a script in one round trip.
   * @param queueNumbers whose keys it works on
   * @returns its answer, bulk strings as Buffers
   */
  run(
    script: ScriptName,
    queueNumbers: readonly number[],
    args: readonly ScriptArgument[],
  ): Promise<unknown>;
  /**
   * Takes note of what a script said of a queue.
   * @param news bits: 1 something can be taken, 2 there is room
   * @param dueAt when the queue is due sooner than before, in milliseconds since 1970; 0: it is not
   */
  tell(queueNumber: number, news: number, dueAt: number): void;
  /** All queues that there are. */
  queueNumbers(): Promise<readonly number[]>;
}

/** For each queue with news, one after the other: its number, the news, and when it is due sooner. */
export type News = readonly number[];

/** Hands on what a script answered first. */
export function tellNews(store: RedisStore, news: News): void {
  for (let at = 0; at < news.length; at += 3) store.tell(news[at]!, news[at + 1]!, news[at + 2]!);
}
