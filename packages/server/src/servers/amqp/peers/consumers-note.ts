import type { Peers } from './peers.ts';

/**
 * What brokers on one store tell each other of a queue's consumers: of a queue with auto-delete or
 * x-single-active-consumer, or that has an exclusive consumer. Of others, nothing is told.
 */
export interface ConsumersNote {
  /** The number of the queue: one that was made anew under its name is another. */
  readonly queue: number;
  /** Those that have consumers, in the order in which they came: the first one's turn it is. */
  readonly brokers: readonly string[];
  /** The only consumer is an exclusive one. */
  readonly exclusive: boolean;
  /** The last consumer has gone, and this broker deletes the queue. */
  readonly closing: string | null;
  /**
   * While the only broker asks whether its exclusive consumer would be alone: which of the others
   * have consumers of a queue of which nothing was told.
   */
  readonly answers: Readonly<Record<string, boolean>> | null;
}

const PREFIX = 'consumers/';

export function noteName(queue: string): string {
  return PREFIX + queue;
}

/** @returns the queue whose note has this name, or null */
export function queueOfNote(name: string): string | null {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null;
}

export function readNote({ notes }: Peers, queue: string): ConsumersNote | undefined {
  return notes.get(noteName(queue)) as ConsumersNote | undefined;
}

/**
 * Compare-and-set until it took.
 * @param change says what to store: null removes the note, undefined leaves it as it is
 * @throws StorageError
 */
export async function changeNote(
  { notes }: Peers,
  queue: string,
  change: (present: ConsumersNote | undefined) => ConsumersNote | null | undefined,
): Promise<void> {
  await notes.update(noteName(queue), (present) => change(present as ConsumersNote | undefined));
}

/** Whether anybody who lives is named in it. */
export function isHeld({ brokers, closing }: ConsumersNote, peers: Peers): boolean {
  return brokers.some((broker) => peers.has(broker)) || (closing !== null && peers.has(closing));
}
