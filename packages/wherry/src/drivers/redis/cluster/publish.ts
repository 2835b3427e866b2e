import type {
  PublishItem,
  PublishOptions,
  PublishOutcome,
  QueueRef,
} from '../../../core/driver.ts';
import { failedInPart } from '../errors.ts';
import { publish } from '../publish.ts';
import type { RedisStore } from '../store.ts';
import { comingOf, dropToMakeRoom } from './evictions.ts';
import { publishGroups } from './fan-out.ts';
import { alone, dropsElsewhere, groupBy } from './places.ts';

/**
 * new -> ready or scheduled, as if one item came after the other. What concerns one place goes there
 * in one call; what concerns several takes room in all of them first.
 */
export async function publishInCluster(
  store: RedisStore,
  items: readonly PublishItem[],
  options: PublishOptions = {},
): Promise<readonly PublishOutcome[]> {
  if (items.length === 0) return [];
  if (options.atomic === true) {
    const isDirect = items.every(isForOne) && countQueues(items) === 1 && !items.some(drops);
    if (isDirect) return publish(store, items, options);
    return (await publishGroups(store, [items], true))![0]!;
  }
  if (items.every(isSimple)) return publishSimple(store, items);
  if (areIndependent(items)) {
    const groups = items.map((item) => [item]);
    const outcomes = await publishGroups(store, groups, false);
    if (outcomes !== null) return outcomes.flat();
  }
  const outcomes: PublishOutcome[] = [];
  for (const part of inTurns(items)) {
    try {
      outcomes.push(...(await publishPart(store, part)));
    } catch (error) {
      throw outcomes.length === 0 ? error : failedInPart(error);
    }
  }
  return outcomes;
}

function isForOne({ targets }: PublishItem): boolean {
  return targets.length === 1;
}

/** In one place, whatever it drops. */
function isSimple({ targets }: PublishItem): boolean {
  return targets.length === 1 && !dropsElsewhere(targets[0]!);
}

function drops({ targets }: PublishItem): boolean {
  return targets.some(({ overflow }) => overflow === 'drop-oldest');
}

function countQueues(items: readonly PublishItem[]): number {
  return new Set(items.flatMap(({ targets }) => targets.map(({ number }) => number))).size;
}

/** Whether it is the same for each item if those before it are stored yet, as long as none is refused. */
function areIndependent(items: readonly PublishItem[]): boolean {
  const names = items.flatMap(({ message: { id, deduplicationId, keepLast, fence } }) => [
    ...(id === undefined ? [] : [`id ${id}`]),
    ...(deduplicationId === null ? [] : [`${keepLast === true} ${deduplicationId}`]),
    ...(fence === undefined ? [] : [`fence ${fence.key}`]),
  ]);
  return !items.some(drops) && new Set(names).size === names.length && items.every(isInOrder());
}

/**
 * Members of a group come in their order where one place decides on all: others that decide may be
 * quicker than the one before.
 */
function isInOrder(): (item: PublishItem) => boolean {
  const homes = new Map<string, number>();
  return ({ message: { groupId }, targets }) => {
    if (groupId === null) return true;
    const home = homes.get(groupId) ?? targets[0]!.number;
    homes.set(groupId, home);
    return home === targets[0]!.number;
  };
}

/** Neighbours that are simple go together, others one by one. */
function inTurns(items: readonly PublishItem[]): PublishItem[][] {
  const parts: PublishItem[][] = [];
  for (const [i, item] of items.entries()) {
    if (i > 0 && isSimple(item) && isSimple(items[i - 1]!)) parts.at(-1)!.push(item);
    else parts.push([item]);
  }
  return parts;
}

/** @param items simple ones, or one that is not */
async function publishPart(
  store: RedisStore,
  items: readonly PublishItem[],
): Promise<readonly PublishOutcome[]> {
  const [{ targets, message }] = items as [PublishItem];
  if (isSimple(items[0]!)) return publishSimple(store, items);
  if (targets.length > 1) return (await publishGroups(store, [items], true))![0]!;
  const [queue] = targets as [QueueRef];
  const item = { message, targets: [alone(queue)] };
  const [outcome] = (await publish(store, [item])) as [PublishOutcome];
  const isRefused = outcome.status === 'full';
  return [isRefused ? await publishByDropping(store, queue, item, outcome) : outcome];
}

/** Each queue gets its own in one call. */
async function publishSimple(
  store: RedisStore,
  items: readonly PublishItem[],
): Promise<readonly PublishOutcome[]> {
  const outcomes = new Map<PublishItem, PublishOutcome>();
  const queues = groupBy(items, ({ targets }) => targets[0]!.number);
  const calls = await Promise.allSettled(
    [...queues.values()].map(async (part) => {
      const answers = await publish(store, part);
      part.forEach((item, i) => outcomes.set(item, answers[i]!));
    }),
  );
  const failed = calls.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
  if (failed !== undefined) throw outcomes.size === 0 ? failed.reason : failedInPart(failed.reason);
  return items.map((item) => outcomes.get(item)!);
}

async function publishByDropping(
  store: RedisStore,
  queue: QueueRef,
  item: PublishItem,
  refusal: PublishOutcome,
): Promise<PublishOutcome> {
  let outcome = refusal;
  const coming = comingOf(item.message);
  const tryAgain = async (): Promise<boolean> => {
    outcome = (await publish(store, [item]))[0]!;
    return outcome.status !== 'full';
  };
  const { evicted, limit } = await dropToMakeRoom(store, queue, coming, tryAgain, new Map());
  if (outcome.status === 'full') return { ...outcome, limit: limit ?? outcome.limit };
  if (evicted.length === 0 || outcome.status === 'missing') return outcome;
  return { ...outcome, evicted: [...(outcome.evicted ?? []), ...evicted] };
}
