import { messageIdMaker } from '../../core/message-id.ts';
import {
  type Evicted,
  NEVER,
  type NewMessage,
  type PublishItem,
  type PublishOptions,
  type PublishOutcome,
} from '../../core/driver.ts';
import { encodeContents } from './content.ts';
import { failedInPart } from './errors.ts';
import { CallQueues } from './settings.ts';
import { type News, type RedisStore, tellNews } from './store.ts';

/** Messages that the script treats alike, as lua/publish.lua reads it. */
export interface Run {
  count: number;
  bytes: number;
  readonly to: readonly number[];
  readonly priority: number;
  readonly isPlain: boolean;
  readonly ttl?: number;
  readonly delay?: number;
  readonly deliverAt?: number;
  readonly group?: string;
  readonly deduplicationId?: string;
  readonly window?: number;
  readonly keepLast?: boolean;
  readonly id?: string;
  readonly fence?: { readonly key: string; readonly value: number };
}

type Refusal = readonly [status: Buffer, place: number, limit?: Buffer];
type Acceptance = readonly [status: Buffer, ids: readonly Buffer[], evicted: readonly Evictee[]];
type Evictee = Buffer | number;
/** The first sequence when all of the run are stored in a row, else each one's outcome. */
type RunOutcome = number | readonly (Refusal | Acceptance)[];
type Reply = readonly [news: News, now: number, outcomes: readonly RunOutcome[], refusal?: Refusal];

/** What one script takes: more would keep the server from others. */
const CALL_ITEMS_MAX = 5_000;
const CALL_BYTES_MAX = 16 * 1024 * 1024;

/**
 * new -> ready or scheduled, in one call, unless that would be too large for a server that others
 * wait for; then part after part, and a part that fails leaves those before it stored.
 */
export async function publish(
  store: RedisStore,
  items: readonly PublishItem[],
  options: PublishOptions = {},
): Promise<readonly PublishOutcome[]> {
  if (options.atomic === true) return publishPart(store, items, true);
  const outcomes: PublishOutcome[][] = [];
  for (const part of partsOf(items)) {
    try {
      outcomes.push(await publishPart(store, part, false));
    } catch (error) {
      throw outcomes.length === 0 ? error : failedInPart(error);
    }
  }
  return outcomes.length === 1 ? outcomes[0]! : outcomes.flat();
}

function partsOf(items: readonly PublishItem[]): (readonly PublishItem[])[] {
  const parts: (readonly PublishItem[])[] = [];
  let start = 0;
  let bytes = 0;
  for (const [index, { message }] of items.entries()) {
    const isTooMuch = bytes + message.body.length > CALL_BYTES_MAX;
    if (index > start && (isTooMuch || index - start >= CALL_ITEMS_MAX)) {
      parts.push(items.slice(start, index));
      start = index;
      bytes = 0;
    }
    bytes += message.body.length;
  }
  if (start === 0) return items.length === 0 ? [] : [items];
  return [...parts, items.slice(start)];
}

async function publishPart(
  store: RedisStore,
  items: readonly PublishItem[],
  atomic: boolean,
): Promise<PublishOutcome[]> {
  if (items.length === 0) return [];
  const queues = new CallQueues();
  const runs: Run[] = [];
  for (const { targets, message } of items) {
    const to = targets.map((target) => queues.place(target));
    addRun(runs, to, message);
  }
  const contents = encodeContents(items.map((item) => item.message));
  const request = JSON.stringify({ refs: queues.settings(), atomic, runs });
  const reply = (await store.run('publish', queues.numbers, [request, ...contents])) as Reply;
  const [news, now, outcomes, refusal] = reply;
  tellNews(store, news);
  if (refusal !== undefined) return items.map(() => refused(queues, refusal));
  return runs.flatMap((run, index) => outcomesOf(store, queues, run, now, outcomes[index]!));
}

function addRun(runs: Run[], to: readonly number[], message: NewMessage): void {
  const { priority, bytes } = message;
  const ttl = message.ttl ?? undefined;
  const before = runs.at(-1);
  if (to.length > 1 || !isPlain(message)) runs.push(soloRun(to, message));
  else if (
    before?.isPlain === true &&
    before.to[0] === to[0] &&
    before.priority === priority &&
    before.ttl === ttl
  ) {
    before.count += 1;
    before.bytes += bytes;
  } else runs.push({ count: 1, bytes, to, priority, isPlain: true, ...ttlOf(ttl) });
}

/** A message that is treated by itself. @param to places in the script's KEYS */
export function soloRun(to: readonly number[], message: NewMessage): Run {
  const { bytes, priority } = message;
  const ttl = ttlOf(message.ttl ?? undefined);
  return { count: 1, bytes, to, priority, isPlain: false, ...ttl, ...specialsOf(message) };
}

/** Whether there is nothing to look up, and nothing to wait for. */
function isPlain(message: NewMessage): boolean {
  return (
    message.deduplicationId === null &&
    message.groupId === null &&
    message.delay === 0 &&
    message.deliverAt === null &&
    message.id === undefined &&
    message.fence === undefined
  );
}

function ttlOf(ttl: number | undefined): Pick<Run, 'ttl'> {
  return ttl === undefined ? {} : { ttl };
}

function specialsOf(message: NewMessage): Partial<Run> {
  const { delay, deliverAt, groupId, deduplicationId, deduplicationWindow, fence, id } = message;
  return {
    ...(delay > 0 && { delay: Math.min(delay, NEVER) }),
    ...(deliverAt !== null && { deliverAt: Math.min(deliverAt, NEVER) }),
    ...(groupId !== null && { group: groupId }),
    ...(deduplicationId !== null && { deduplicationId }),
    ...(deduplicationWindow !== undefined && { window: Math.min(deduplicationWindow, NEVER) }),
    ...(message.keepLast === true && deduplicationId !== null && { keepLast: true }),
    ...(id !== undefined && { id }),
    ...(fence !== undefined && { fence: { key: fence.key, value: fence.value } }),
  };
}

function outcomesOf(
  store: RedisStore,
  queues: CallQueues,
  { count, to }: Run,
  now: number,
  outcome: RunOutcome,
): PublishOutcome[] {
  if (typeof outcome !== 'number') {
    return outcome.map((one) =>
      typeof one[1] === 'number'
        ? refused(queues, one as Refusal)
        : accepted(queues, one as Acceptance),
    );
  }
  const makeId = messageIdMaker(queues.at(to[0]!).number, store.salt);
  return Array.from({ length: count }, (_, index) => ({
    status: 'stored',
    id: makeId(now, outcome + index),
  }));
}

function refused(queues: CallQueues, [status, place, limit]: Refusal): PublishOutcome {
  const queue = queues.at(place).name;
  if (status.toString() === 'missing') return { status: 'missing', queue };
  return { status: 'full', queue, limit: limit!.toString() as 'maxSize' | 'maxBytes' };
}

function accepted(queues: CallQueues, [status, ids, evicted]: Acceptance): PublishOutcome {
  const texts = ids.map((id) => id.toString('hex'));
  return {
    status: status.toString() as 'stored' | 'replaced' | 'duplicate',
    id: texts[0]!,
    ...(texts.length > 1 && { ids: texts }),
    ...(evicted.length > 0 && { evicted: evictedOf(queues, evicted) }),
  };
}

/** @param evicted of each one its id, the place of its queue, and where it went (0: nowhere) */
export function evictedOf(queues: CallQueues, evicted: readonly Evictee[]): Evicted[] {
  const all: Evicted[] = [];
  for (let at = 0; at < evicted.length; at += 3) {
    const target = evicted[at + 2] as number;
    all.push({
      id: (evicted[at] as Buffer).toString('hex'),
      queue: queues.at(evicted[at + 1] as number).name,
      movedTo: target === 0 ? null : queues.at(target).name,
    });
  }
  return all;
}
