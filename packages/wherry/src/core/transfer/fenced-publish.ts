import type { Driver, Evicted, NewMessage, PublishOutcome, QueueRef } from '../driver.ts';
import { QueueNotFoundError } from '../errors.ts';

/** A message that the target stores once, however often it is published: see `NewMessage.fence`. */
export type FencedMessage = NewMessage & { readonly fence: NonNullable<NewMessage['fence']> };

export interface FencedOutcome {
  /** So many of the first are at the target, or were there before; of the others none is. */
  readonly accepted: number;
  /** How many of those had come before. */
  readonly duplicates: number;
  /** The bound of the queue that refused the next one; null: none did. */
  readonly refusal: 'maxSize' | 'maxBytes' | null;
  readonly evicted: readonly Evicted[];
}

/**
 * Stores messages in the order given, and none behind one that was refused: the fence lets no
 * earlier one pass once a later one is stored, so whatever the moment of a crash, publishing the
 * same messages again stores just those that are missing.
 * @param messages of one fence key, their values growing
 * @throws QueueNotFoundError, StorageError (then publish them again)
 */
export async function publishFenced(
  driver: Driver,
  queue: QueueRef,
  messages: readonly FencedMessage[],
): Promise<FencedOutcome> {
  const items = messages.map((message) => ({ targets: [queue], message }));
  if (driver.supports.atomicBatch === true) {
    const outcomes = await driver.publish(items, { atomic: true });
    if (!outcomes.some(isFull)) return summarise(outcomes);
  }
  // As many as there is room for.
  const outcomes: PublishOutcome[] = [];
  for (const item of items) {
    const [outcome] = (await driver.publish([item])) as [PublishOutcome];
    outcomes.push(outcome);
    if (isFull(outcome)) break;
  }
  return summarise(outcomes);
}

function isFull({ status }: PublishOutcome): boolean {
  return status === 'full';
}

function summarise(outcomes: readonly PublishOutcome[]): FencedOutcome {
  let accepted = 0;
  let duplicates = 0;
  let refusal: FencedOutcome['refusal'] = null;
  const evicted: Evicted[] = [];
  for (const outcome of outcomes) {
    if (outcome.status === 'missing') throw new QueueNotFoundError(outcome.queue);
    if (outcome.status === 'full') refusal = outcome.limit;
    else {
      accepted++;
      if (outcome.status === 'duplicate') duplicates++;
      evicted.push(...(outcome.evicted ?? []));
    }
  }
  return { accepted, duplicates, refusal, evicted };
}
