/**
 * The calls of the driver contract: their numbers, how their arguments and answers travel, how they
 * are carried out, and what becomes of one whose answer was lost with the store that had it.
 */
import type {
  BrowsePage,
  BrowseRequest,
  Driver,
  ExtendItem,
  LostIndexes,
  MoveItem,
  MoveOutcome,
  PublishItem,
  PublishOutcome,
  QueueCounts,
  QueueRef,
  Receipt,
  ReleaseItem,
  StoredMessage,
  SweepResult,
  TakeRequest,
  TakeResult,
  TopologyEntry,
} from '../../../core/driver.ts';
import { amount, type Codec, flag, listOf, nothing, orNull, struct, text, whole } from './codec.ts';
import { leasedMessage, newMessage, storedMessage, sweptMessage } from './message.ts';
import { counts, moveOutcome, publishOutcome, topologyEntry } from './outcomes.ts';
import { queueRef } from './queue-ref.ts';
import {
  anything,
  browseRequest,
  type DeleteRequest,
  type Deletion,
  lost,
  moveItem,
  type PublishRequest,
  receipt,
  refs,
  releaseItem,
  takeRequest,
  type TopologyPut,
  type TopologyRemove,
} from './requests.ts';

/**
 * When the answer is lost, and nobody knows whether the call was carried out:
 * 'again': a second time does no harm, and the answer is as good;
 * 'by-id': messages have ids, so that a second time stores nothing twice;
 * 'by-lease': a second time finds the leases ended, which then may have been its own doing;
 * 'never': the caller must be told.
 */
type Repetition = 'again' | 'by-id' | 'by-lease' | 'never';

export interface Call<Request, Answer> {
  readonly number: number;
  readonly request: Codec<Request>;
  readonly answer: Codec<Answer>;
  readonly repetition: Repetition;
  /** Such a request is 'never' repeated, whatever the others are. */
  readonly isOnceOnly?: (request: Request) => boolean;
  readonly run: (driver: Driver, request: Request) => Promise<Answer>;
}

/** Adding a call: give it the next number; a number is never used again. */
export const CALLS: {
  readonly publish: Call<PublishRequest, readonly PublishOutcome[]>;
  readonly take: Call<TakeRequest, TakeResult>;
  readonly settle: Call<readonly Receipt[], LostIndexes>;
  readonly release: Call<readonly ReleaseItem[], LostIndexes>;
  readonly move: Call<readonly MoveItem[], readonly MoveOutcome[]>;
  readonly extend: Call<readonly ExtendItem[], LostIndexes>;
  readonly sweep: Call<number, SweepResult>;
  readonly browse: Call<BrowseRequest, BrowsePage>;
  readonly get: Call<string, StoredMessage | null>;
  readonly counts: Call<QueueRef, QueueCounts>;
  readonly purge: Call<QueueRef, number>;
  readonly deleteQueue: Call<DeleteRequest, Deletion>;
  readonly now: Call<void, number>;
  readonly 'topology.load': Call<void, readonly TopologyEntry[]>;
  readonly 'topology.put': Call<TopologyPut, TopologyEntry | null>;
  readonly 'topology.remove': Call<TopologyRemove, boolean>;
} = {
  publish: {
    number: 1,
    request: struct<PublishRequest>({
      items: listOf(struct<PublishItem>({ targets: refs, message: newMessage })),
      atomic: flag,
    }),
    answer: listOf(publishOutcome),
    repetition: 'by-id',
    // A second time, it might take the place of a newer one.
    isOnceOnly: ({ items }) => items.some(({ message }) => message.keepLast === true),
    run: (driver, { items, atomic }) => driver.publish(items, { atomic }),
  },
  take: {
    number: 2,
    request: takeRequest,
    answer: struct<TakeResult>({ messages: listOf(leasedMessage), retryIn: orNull(amount) }),
    repetition: 'again',
    run: (driver, request) => driver.take(request),
  },
  settle: {
    number: 3,
    request: listOf(receipt),
    answer: lost,
    repetition: 'by-lease',
    run: (driver, receipts) => driver.settle(receipts),
  },
  release: {
    number: 4,
    request: listOf(releaseItem),
    answer: lost,
    repetition: 'by-lease',
    run: (driver, items) => driver.release(items),
  },
  move: {
    number: 5,
    request: listOf(moveItem),
    answer: listOf(moveOutcome),
    repetition: 'by-lease',
    run: (driver, items) => driver.move(items),
  },
  extend: {
    number: 6,
    request: listOf(struct<ExtendItem>({ receipt, leaseDuration: amount })),
    answer: lost,
    repetition: 'again',
    run: (driver, items) => driver.extend(items),
  },
  sweep: {
    number: 7,
    request: whole,
    answer: struct<SweepResult>({ messages: listOf(sweptMessage), nextIn: orNull(amount) }),
    repetition: 'again',
    run: (driver, max) => driver.sweep(max),
  },
  browse: {
    number: 8,
    request: browseRequest,
    answer: struct<BrowsePage>({ messages: listOf(storedMessage), cursor: orNull(text) }),
    repetition: 'again',
    run: (driver, request) => driver.browse(request),
  },
  get: {
    number: 9,
    request: text,
    answer: orNull(storedMessage),
    repetition: 'again',
    run: (driver, id) => driver.get(id),
  },
  counts: {
    number: 10,
    request: queueRef,
    answer: counts,
    repetition: 'again',
    run: (driver, queue) => driver.counts(queue),
  },
  purge: {
    number: 11,
    request: queueRef,
    answer: whole,
    repetition: 'never',
    run: (driver, queue) => driver.purge(queue),
  },
  deleteQueue: {
    number: 12,
    request: struct<DeleteRequest>({ queue: queueRef, onlyIfEmpty: flag }),
    answer: struct<Deletion>({ deleted: flag, messages: whole }),
    repetition: 'never',
    run: (driver, { queue, onlyIfEmpty }) => driver.deleteQueue(queue, { onlyIfEmpty }),
  },
  now: {
    number: 13,
    request: nothing,
    answer: amount,
    repetition: 'again',
    run: (driver) => driver.now(),
  },
  'topology.load': {
    number: 14,
    request: nothing,
    answer: listOf(topologyEntry),
    repetition: 'again',
    run: (driver) => driver.topology.load(),
  },
  'topology.put': {
    number: 15,
    request: struct<TopologyPut>({
      kind: text,
      name: text,
      value: anything,
      expectedVersion: whole,
    }),
    answer: orNull(topologyEntry),
    repetition: 'never',
    run: (driver, { expectedVersion, ...entry }) => driver.topology.put(entry, expectedVersion),
  },
  'topology.remove': {
    number: 16,
    request: struct<TopologyRemove>({ kind: text, name: text, expectedVersion: whole }),
    answer: flag,
    repetition: 'never',
    run: (driver, { kind, name, expectedVersion }) =>
      driver.topology.remove(kind, name, expectedVersion),
  },
};

export type CallName = keyof typeof CALLS;
export type RequestOf<Name extends CallName> = (typeof CALLS)[Name] extends {
  readonly request: Codec<infer Request>;
}
  ? Request
  : never;
export type AnswerOf<Name extends CallName> = (typeof CALLS)[Name] extends {
  readonly answer: Codec<infer Answer>;
}
  ? Answer
  : never;

const NAMES: ReadonlyMap<number, CallName> = new Map(
  (Object.keys(CALLS) as CallName[]).map((name) => [CALLS[name].number, name]),
);

/** @returns the call with this number, if this version knows it */
export function callNamed(number: number): CallName | undefined {
  return NAMES.get(number);
}
