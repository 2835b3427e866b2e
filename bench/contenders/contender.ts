import type { Payload } from '../workloads/payload.ts';

/** A queue library at work on a server that others use after it. */
export interface Contender {
  /** How a program that wants speed sends: ours gathers single sends by itself. */
  readonly sendsBestIn: 'ones' | 'batches';
  /** Sends one message. @returns when the server has confirmed it */
  send(payload: Payload): Promise<unknown>;
  /** Sends several in the way that is made for it. */
  sendBatch(payloads: readonly Payload[]): Promise<unknown>;
  /**
   * Begins to receive, each message handled by itself and acknowledged by itself.
   * @param count how many acknowledgements `done` waits for
   * @param handle called with each message's payload
   */
  consume(count: number, handle: (payload: Payload) => void): Promise<Consumption>;
  close(): Promise<void>;
}

interface Consumption {
  /** So many messages have been acknowledged, and the server has confirmed that. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

/** Makes a contender on an empty server. */
export type OpenContender = (url: string) => Promise<Contender>;

/** Resolves when it was called so often. */
export class Countdown {
  readonly done: Promise<void>;
  #left: number;
  #end: () => void = () => {};

  constructor(count: number) {
    this.#left = count;
    this.done = new Promise((resolve) => (this.#end = resolve));
  }

  count(by = 1): void {
    this.#left -= by;
    if (this.#left <= 0) this.#end();
  }
}
