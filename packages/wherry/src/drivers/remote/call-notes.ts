import type { Housekeeper, QueueRef } from '../../core/driver.ts';
import type { AnswerOf, CallName, RequestOf } from './wire/calls.ts';

/** What a sweep leases is the sweeper's for so long. Milliseconds. */
const SWEPT_MS = 30_000;

/** Tells who sweeps for all what a call made that will be due, and which queues it used. */
export function noteCall(
  housekeeper: Housekeeper,
  name: CallName,
  request: unknown,
  answer: unknown,
): void {
  switch (name) {
    case 'publish': {
      const { items } = request as RequestOf<'publish'>;
      const outcomes = answer as AnswerOf<'publish'>;
      for (const [i, outcome] of outcomes.entries()) {
        const isStored = outcome.status === 'stored' || outcome.status === 'replaced';
        if (isStored) housekeeper.expectPublished(items[i]!);
      }
      noteUse(
        housekeeper,
        items.flatMap(({ targets }) => targets),
      );
      return;
    }
    case 'take': {
      const { queue, leaseDuration } = request as RequestOf<'take'>;
      const { messages } = answer as AnswerOf<'take'>;
      if (messages.length > 0) housekeeper.expectWithin(leaseDuration);
      housekeeper.used(queue.number);
      return;
    }
    case 'extend':
      for (const { leaseDuration } of request as RequestOf<'extend'>) {
        housekeeper.expectWithin(leaseDuration);
      }
      return;
    case 'settle':
      noteUse(
        housekeeper,
        (request as RequestOf<'settle'>).map(({ queue }) => queue),
      );
      return;
    case 'release':
      for (const { delay } of request as RequestOf<'release'>) housekeeper.expectWithin(delay);
      return;
    case 'move':
      for (const { targets } of request as RequestOf<'move'>) {
        for (const target of targets) housekeeper.expectMoved(target);
        noteUse(housekeeper, targets);
      }
      return;
    case 'sweep':
      housekeeper.expectWithin(SWEPT_MS);
      return;
    default:
  }
}

function noteUse(housekeeper: Housekeeper, queues: readonly QueueRef[]): void {
  let last: number | null = null;
  for (const { number } of queues) {
    // Mostly all are one queue.
    if (number !== last) housekeeper.used(number);
    last = number;
  }
}
