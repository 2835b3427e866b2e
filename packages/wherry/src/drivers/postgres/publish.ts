import type {
  NewMessage,
  PublishItem,
  PublishOptions,
  PublishOutcome,
  QueueRef,
} from '../../core/driver.ts';
import { messageIdMaker } from '../../core/message-id.ts';
import { sqlArray, sqlList } from './arrays.ts';
import { BodyWriter } from './bodies.ts';
import { Column } from './column.ts';
import type { DataContext } from './context.ts';
import { finite } from './numbers.ts';
import { publishEach } from './publish-each.ts';
import { encodingOf } from './record.ts';

/** One copy of a message: a row to be. */
interface Copy {
  readonly target: QueueRef;
  readonly message: NewMessage;
  /** Of its item. */
  readonly itemIndex: number;
}

/** What `wherry.publish` answers. */
interface Stored {
  readonly now: number;
  readonly sequences: readonly (number | null)[];
  /** By index of the copy, from 1 on: ids of those sent before. */
  readonly known: Readonly<Record<string, string>> | null;
}

/** new -> ready or scheduled, all at once where nothing stands against it, else one by one. */
export async function publish(
  context: DataContext,
  items: readonly PublishItem[],
  options: PublishOptions = {},
): Promise<readonly PublishOutcome[]> {
  if (items.length === 0) return [];
  const outcomes =
    items.every(isSimple) && !hasTwins(items) ? await publishAtOnce(context, items, options) : null;
  const answered = outcomes ?? (await publishEach(context, items, options));
  if (options.transaction === undefined) tell(context, items, answered);
  return answered;
}

/** Whether `wherry.publish` can store it. */
function isSimple({ targets, message }: PublishItem): boolean {
  if (message.id !== undefined || message.fence !== undefined) return false;
  if (message.keepLast === true && message.deduplicationId !== null) return false;
  // Of a fan-out some may be stored already.
  return targets.length === 1 || targets.every((target) => windowOf(message, target) === null);
}

/** Whether two of them have the same deduplicationId in one queue. */
function hasTwins(items: readonly PublishItem[]): boolean {
  const seen = new Set<string>();
  for (const { targets, message } of items) {
    for (const target of targets) {
      if (windowOf(message, target) === null) continue;
      const key = `${target.number} ${message.deduplicationId}`;
      if (seen.has(key)) return true;
      seen.add(key);
    }
  }
  return false;
}

/** @returns milliseconds for which the message's deduplicationId stands for it; null: it does not */
function windowOf(
  { deduplicationId, deduplicationWindow }: NewMessage,
  target: QueueRef,
): number | null {
  const window = deduplicationWindow ?? target.deduplicationWindow;
  return deduplicationId === null || window <= 0 ? null : window;
}

/** @returns null when something stands against one of them: nothing was stored then */
async function publishAtOnce(
  { database }: DataContext,
  items: readonly PublishItem[],
  { transaction }: PublishOptions,
): Promise<PublishOutcome[] | null> {
  const copies: Copy[] = items.flatMap(({ targets, message }, itemIndex) =>
    targets.map((target) => ({ target, message, itemIndex })),
  );
  const queues = [...new Map(copies.map(({ target }) => [target.number, target])).values()];
  queues.sort((a, b) => a.number - b.number);
  const args = [database.clockTime(), ...columnsOf(copies, queues), transaction !== undefined];
  const [row] = await database.call<{ result: string | null }>('publish', args, { transaction });
  if (row!.result === null) return null;
  const stored = JSON.parse(row!.result) as Stored;
  return outcomesOf(items, copies, stored, database.salt);
}

/** @returns the arguments of `wherry.publish` between the first and the last */
function columnsOf(
  copies: readonly Copy[],
  queues: readonly QueueRef[],
): (string | Buffer | null)[] {
  const indexes = new Map(queues.map(({ number }, index) => [number, index + 1]));
  const firstCopies = new Map<number, number>();
  const bodies = new BodyWriter();
  const sizes: number[] = [];
  const queueIndexes = new Column<number>(1);
  const priorities = new Column<number>(0);
  const encodings = new Column<number>(0);
  const properties = new Column<string>(null);
  const delays = new Column<number>(null);
  const deliverAts = new Column<number>(null);
  const ttls = new Column<number>(null);
  const groupIds = new Column<string>(null);
  const deduplicationIds = new Column<string>(null);
  const windows = new Column<number>(null);
  const deaths = new Column<string>(null);
  const copiesOf = new Column<number>(null);
  for (const { target, message, itemIndex } of copies) {
    bodies.add(message);
    sizes.push(message.bytes);
    queueIndexes.add(indexes.get(target.number)!);
    priorities.add(Math.min(message.priority, target.maxPriority));
    encodings.add(encodingOf(message));
    properties.add(message.properties && JSON.stringify(message.properties));
    delays.add(message.deliverAt === null && message.delay > 0 ? message.delay : null);
    deliverAts.add(message.deliverAt);
    ttls.add(ttlOf(message, target));
    groupIds.add(message.groupId);
    deduplicationIds.add(message.deduplicationId);
    windows.add(windowOf(message, target));
    deaths.add(message.deaths?.length ? JSON.stringify(message.deaths) : null);
    const first = firstCopies.get(itemIndex);
    copiesOf.add(first ?? null);
    if (first === undefined) firstCopies.set(itemIndex, sizes.length);
  }
  return [
    sqlList(queues.map(({ number }) => number)),
    sqlArray(queues.map(({ maxSize }) => finite(maxSize))),
    sqlArray(queues.map(({ maxBytes }) => finite(maxBytes))),
    sqlList(queues.map(({ groupMaxInFlight }) => groupMaxInFlight)),
    queueIndexes.toSql(),
    priorities.toSql(),
    sizes.some((size, index) => size !== bodies.lengths[index]) ? sqlList(sizes) : null,
    encodings.toSql(),
    sqlList(bodies.starts),
    sqlList(bodies.lengths),
    bodies.bytes(),
    properties.toSql(),
    delays.toSql(),
    deliverAts.toSql(),
    ttls.toSql(),
    groupIds.toSql(),
    deduplicationIds.toSql(),
    windows.toSql(),
    deaths.toSql(),
    copiesOf.toSql(),
  ];
}

function outcomesOf(
  items: readonly PublishItem[],
  copies: readonly Copy[],
  { now, sequences, known }: Stored,
  salt: number,
): PublishOutcome[] {
  const makers = new Map<number, (timestamp: number, sequence: number) => string>();
  const ids: string[][] = items.map(() => []);
  const isStored = items.map(() => false);
  for (const [index, { target, itemIndex }] of copies.entries()) {
    const sequence = sequences[index]!;
    if (sequence === null) {
      ids[itemIndex]!.push(known![index + 1]!);
      continue;
    }
    let make = makers.get(target.number);
    if (make === undefined) makers.set(target.number, (make = messageIdMaker(target.number, salt)));
    ids[itemIndex]!.push(make(now, sequence));
    isStored[itemIndex] = true;
  }
  return ids.map((all, index) => ({
    status: isStored[index]! ? 'stored' : 'duplicate',
    id: all[0]!,
    ...(all.length > 1 && { ids: all }),
  }));
}

function tell(
  { notifier }: DataContext,
  items: readonly PublishItem[],
  outcomes: readonly PublishOutcome[],
): void {
  const reached = new Set<number>();
  const left = new Set<number>();
  for (const [index, { targets }] of items.entries()) {
    const outcome = outcomes[index]!;
    if (outcome.status === 'full' || outcome.status === 'missing') continue;
    for (const { number, evictTo } of targets) {
      reached.add(number);
      if (outcome.evicted === undefined) continue;
      left.add(number);
      if (evictTo !== null) reached.add(evictTo.number);
    }
  }
  for (const number of reached) notifier.happened(number, 'ready');
  for (const number of left) notifier.happened(number, 'room');
}

function ttlOf({ ttl }: NewMessage, { messageTtl }: QueueRef): number | null {
  return finite(Math.min(ttl ?? Infinity, messageTtl ?? Infinity));
}
