import { randomBytes } from 'node:crypto';
import type { MoveItem, MoveOutcome } from '../../../core/driver.ts';
import { deathOf } from '../move.ts';
import { encodeReceipts } from '../receipts.ts';
import { settingsOf } from '../settings.ts';
import { type News, type RedisStore, tellNews } from '../store.ts';
import {
  concludeLater,
  type Credits,
  type MovedCopy,
  type Copy,
  type Departed,
  letGo,
  reveal,
  told,
} from './copies.ts';
import { alone, groupBy } from './places.ts';
import { type Dropping, Rooms } from './rooms.ts';

/** A message that leaves, and its copies where it goes. */
interface Journey {
  readonly item: MoveItem;
  readonly transfer: string;
  readonly copies: readonly Copy[];
}

/** The records of so many go over the line, and are kept on both sides for a while. */
const CALL_MAX = 250;

/**
 * leased in one place of a cluster -> ready in others: the message is set aside where it is, room is
 * taken where it goes, the source decides, and the copies are revealed. Until the decision a failure
 * leaves it where it is; from then on, whoever sweeps brings it to its end.
 * @param dropping how targets drop messages to other places; null: none of them does
 * @param credits room that is about to be free, because of what these are moved for
 */
export async function moveAcross(
  store: RedisStore,
  items: readonly MoveItem[],
  dropping: Dropping | null,
  credits?: Credits,
): Promise<readonly MoveOutcome[]> {
  const outcomes: MoveOutcome[] = [];
  for (let at = 0; at < items.length; at += CALL_MAX) {
    const part = items.slice(at, at + CALL_MAX);
    outcomes.push(...(await movePart(store, part, dropping, credits)));
  }
  return outcomes;
}

async function movePart(
  store: RedisStore,
  items: readonly MoveItem[],
  dropping: Dropping | null,
  credits: Credits | undefined,
): Promise<readonly MoveOutcome[]> {
  const journeys = await depart(store, items);
  const going = journeys.filter((journey) => journey !== null);
  const rooms = new Rooms(store, dropping, credits ?? creditsOf(going));
  try {
    await rooms.takeAll(going.map(({ copies }) => copies));
    await turnBack(
      store,
      going.filter((journey) => refusalOf(journey, rooms) !== null),
    );
    const left = await leave(
      store,
      going.filter((journey) => refusalOf(journey, rooms) === null),
    );
    return journeys.map((journey) => {
      if (journey === null) return { status: 'lost' };
      return refusalOf(journey, rooms) ?? (left.has(journey) ? movedOf(journey, rooms) : LOST);
    });
  } catch (error) {
    await turnBack(store, going).catch(() => undefined);
    throw error;
  }
}

/** One that goes by itself leaves its room to what comes where it was. */
function creditsOf(journeys: readonly Journey[]): Credits {
  const [journey] = journeys;
  if (journeys.length !== 1 || journey?.copies[0] === undefined) return new Map();
  const { bytes } = journey.copies[0].request as MovedCopy;
  return new Map([[journey.item.receipt.queue.number, { size: 1, bytes }]]);
}

const LOST: MoveOutcome = { status: 'lost' };

type DepartedReply = readonly [
  record: Buffer,
  deaths: Buffer,
  priority: number,
  bytes: number,
  group: Buffer,
];

/** @returns null for those that the receipts do not prove to be held */
async function depart(
  store: RedisStore,
  items: readonly MoveItem[],
): Promise<readonly (Journey | null)[]> {
  const journeys = new Map<MoveItem, Journey | null>();
  const sources = groupBy(items, ({ receipt }) => receipt.queue.number);
  await Promise.all(
    [...sources.values()].map(async (group) => {
      const departed = await departFrom(store, group);
      group.forEach((item, i) => journeys.set(item, departed[i]!));
    }),
  );
  return items.map((item) => journeys.get(item)!);
}

async function departFrom(
  store: RedisStore,
  items: readonly MoveItem[],
): Promise<(Journey | null)[]> {
  const source = items[0]!.receipt.queue;
  const words = items.map(({ death }) => ({
    transfer: randomBytes(12).toString('base64url'),
    ...(death !== undefined && { death: deathOf(death) }),
  }));
  const receipts = encodeReceipts(items.map(({ receipt }) => receipt));
  const args = [JSON.stringify(settingsOf(alone(source))), receipts, JSON.stringify(words)];
  const reply = await store.run('depart', [source.number], args);
  const [news, answers] = reply as [News, (Buffer | DepartedReply)[]];
  tellNews(store, news);
  return items.map((item, i) => {
    const answer = answers[i]!;
    if (answer instanceof Buffer) return null;
    const [record, deaths, priority, bytes, group] = answer as DepartedReply;
    const { transfer } = words[i]!;
    const departed = { record, deaths, priority, bytes, group: group.toString() };
    return { item, transfer, copies: copiesOf(item, transfer, departed) };
  });
}

function copiesOf({ receipt, targets }: MoveItem, transfer: string, departed: Departed): Copy[] {
  const { record, deaths, priority, bytes, group } = departed;
  return targets.map((target, i) => ({
    name: `${transfer}/${i}`,
    transfer,
    home: receipt.queue.number,
    target,
    request: {
      id: receipt.id,
      isCopy: i > 0,
      deaths: deaths.toString('hex'),
      priority,
      bytes,
      ...(group !== '' && { group }),
    },
    content: record,
  }));
}

function refusalOf({ copies }: Journey, rooms: Rooms): MoveOutcome | null {
  for (const wanted of ['missing', 'full'] as const) {
    const copy = copies.find((one) => rooms.reservationOf(one)?.status === wanted);
    if (copy !== undefined) return { status: wanted, queue: copy.target.name };
  }
  return null;
}

function movedOf({ copies }: Journey, rooms: Rooms): MoveOutcome {
  const ids = copies.map((copy) => (rooms.reservationOf(copy) as { readonly id: string }).id);
  const evicted = copies.flatMap((copy) => rooms.evictedFor(copy));
  return { status: 'moved', ids, ...(evicted.length > 0 && { evicted }) };
}

/** Gives messages that do not go their leases back, and lets the room go that was taken for them. */
async function turnBack(store: RedisStore, journeys: readonly Journey[]): Promise<void> {
  await Promise.all(
    [...bySource(journeys)].map(async ([source, group]) => {
      const words = group.flatMap(({ transfer }) => [transfer, '']);
      const reply = await store.run('judge', [source], [JSON.stringify(words), '']);
      const [news, answers] = reply as [News, (Buffer | 0)[]];
      tellNews(store, news);
      // One that has gone all the same keeps its places.
      const back = group.filter((_, i) => answers[i] === 0);
      await letGo(
        store,
        back.flatMap(({ copies }) => copies),
      );
    }),
  );
}

/** Decides, and tells where they go. @returns those that have gone */
async function leave(
  store: RedisStore,
  journeys: readonly Journey[],
): Promise<ReadonlySet<Journey>> {
  const sources = [...bySource(journeys)];
  const left = await Promise.all(sources.map(([, group]) => leaveFrom(store, group)));
  const hasGone = new Set(left.flat());
  // In a group, who comes first is next.
  const gone = journeys.filter((journey) => hasGone.has(journey));
  const comers = gone.flatMap(({ copies }) => copies.map((copy) => ({ copy, publishId: null })));
  const places = groupBy(comers, ({ copy }) => copy.target.number);
  const tellings = await Promise.allSettled(
    [...places].map(([place, group]) => reveal(store, place, group)),
  );
  // Who did not hear of it is told by a sweeper.
  if (tellings.every(({ status }) => status === 'fulfilled')) {
    concludeLater(
      store,
      sources.map(([source], i) => [source, left[i]!.map(({ transfer }) => transfer)]),
    );
  }
  return hasGone;
}

async function leaveFrom(store: RedisStore, journeys: readonly Journey[]): Promise<Journey[]> {
  const source = journeys[0]!.item.receipt.queue;
  const words = journeys.map(({ transfer, copies }) => ({
    transfer,
    others: copies.flatMap((copy) => told({ copy, publishId: null })),
  }));
  const args = [JSON.stringify(settingsOf(alone(source))), JSON.stringify(words)];
  const [news, answers] = (await store.run('leave', [source.number], args)) as [News, number[]];
  tellNews(store, news);
  return journeys.filter((_, i) => answers[i] === 1);
}

function bySource(journeys: readonly Journey[]): Map<number, Journey[]> {
  return groupBy(journeys, ({ item }) => item.receipt.queue.number);
}
