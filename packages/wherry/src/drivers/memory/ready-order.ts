import { Heap } from './heap.ts';
import type { MessageRecord } from './record.ts';

export type Position = Pick<MessageRecord, 'priority' | 'availableAt' | 'sequence'>;

export const bySequence = (a: Position, b: Position): boolean => a.sequence < b.sequence;

export const byDueTime = (a: Position, b: Position): boolean =>
  a.availableAt === b.availableAt ? a.sequence < b.sequence : a.availableAt < b.availableAt;

/** Highest priority first, then the store's order (G5). */
export const byPriority = (a: Position, b: Position): boolean =>
  a.priority === b.priority ? a.sequence < b.sequence : a.priority > b.priority;

/** @returns a heap that keeps its index in the record's `heapIndex` */
export function placeHeap(
  isBefore: (a: MessageRecord, b: MessageRecord) => boolean,
): Heap<MessageRecord> {
  return new Heap(isBefore, (record, index) => {
    record.heapIndex = index;
  });
}
