/**
 * The consumer id under which a transfer leases a batch at the source. It is all that a later run
 * needs to finish what a killed one had in hand: which run, and which of its batches.
 */
export interface BatchLabel {
  /** Drawn by each run, and never again. */
  readonly run: string;
  /** Counted by the run from 1 on. */
  readonly batch: number;
}

const PREFIX = '#transfer';
const PATTERN = /^#transfer\/([^/]+)\/(\d+)$/;

export function formatLabel({ run, batch }: BatchLabel): string {
  return `${PREFIX}/${run}/${batch}`;
}

/** @returns null for the consumer id of anybody else */
export function parseLabel(consumerId: string): BatchLabel | null {
  const [, run, batch] = PATTERN.exec(consumerId) ?? [];
  return run === undefined ? null : { run, batch: Number(batch) };
}

/** Most messages of a batch, one more: batch and rank make one number together. */
const RANKS = 4_096;
export const BATCH_MAX = 1_000;

/** @returns a number that grows from batch to batch and within each from rank to rank */
export function fenceValue(batch: number, rank: number): number {
  return batch * RANKS + rank;
}
