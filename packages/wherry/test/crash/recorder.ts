import { MessageQueueError } from '../../src/index.ts';
import { type Call, type HistoryRecord, monotonicNow, type OpFailed } from './history.ts';

/** Errors that leave open whether the operation happened. All others say that it did not. */
const UNCERTAIN = new Set([
  'ABORTED',
  'STORAGE',
  'STORAGE_CONNECTION',
  'STORAGE_FAILED',
  'STORAGE_REPLICAS',
  'STORAGE_TIMEOUT',
]);

/** Writes events, one line for each. */
export class Recorder {
  readonly #process: number;
  readonly #write: (lines: string) => void;
  #calls = 0;

  /**
   * @param process counts the processes of a run
   * @param write has the lines out of this process's hands when it returns: what they announce
   *   must not take effect unannounced, should the process be killed
   */
  constructor(process: number, write: (lines: string) => void) {
    this.#process = process;
    this.#write = write;
  }

  nextCall(): Call {
    this.#calls += 1;
    return this.#calls;
  }

  record(...records: readonly HistoryRecord[]): void {
    if (records.length === 0) return;
    const stamp = { t: monotonicNow(), process: this.#process };
    this.#write(records.map((record) => `${JSON.stringify({ ...stamp, ...record })}\n`).join(''));
  }

  /**
   * Records how an operation failed.
   * @returns what is known of it
   * @throws what is no error of Wherry's: a bug here
   */
  recordFailure(op: OpFailed['op'], call: Call, error: unknown): OpFailed['phase'] {
    if (!(error instanceof MessageQueueError)) throw error;
    const phase = UNCERTAIN.has(error.code) ? 'info' : 'fail';
    this.record({ op, phase, call, error: error.code });
    return phase;
  }
}
