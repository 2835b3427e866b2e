/**
 * Copies on their way to places of a cluster, and what the scripts of transfers are asked and answer
 * (lua/transfer.lua says how it works).
 */
import type { Evicted, QueueRef } from '../../../core/driver.ts';
import type { Run } from '../publish.ts';
import { settingsOf } from '../settings.ts';
import { type News, type RedisStore, tellNews } from '../store.ts';
import { alone, groupBy } from './places.ts';

/** What a message that moves has with it, as lua/depart.lua answers it. */
export interface Departed {
  readonly record: Buffer;
  readonly deaths: Buffer;
  readonly priority: number;
  readonly bytes: number;
  readonly group: string;
}

/** A copy of a message for one place. */
export interface Copy {
  /** Unlike any other's. */
  readonly name: string;
  readonly transfer: string;
  /** The place that decides. */
  readonly home: number;
  readonly target: QueueRef;
  /** What lua/reserve.lua is told of it. */
  readonly request: SentCopy | MovedCopy;
  readonly content: Buffer;
}

interface SentCopy {
  readonly run: Run;
  /** An id that must not be stored yet. */
  readonly known?: string | undefined;
}

export interface MovedCopy {
  readonly id: string;
  readonly isCopy: boolean;
  /** Hexadecimal. */
  readonly deaths: string;
  readonly priority: number;
  readonly bytes: number;
  readonly group?: string;
}

/** What became of the wish for room. */
export type Reservation =
  | {
      readonly status: 'held';
      readonly id: string;
      readonly evicted: readonly Evicted[];
      /** It will be no new message: it takes the place of another, or another is there in its stead. */
      readonly isNoNews: boolean;
      readonly room: Room;
    }
  | { readonly status: 'duplicate'; readonly id: string }
  | { readonly status: 'full'; readonly limit: 'maxSize' | 'maxBytes' }
  | { readonly status: 'known' | 'missing' | 'refused' };

type ReservationReply = readonly [
  status: Buffer,
  word?: Buffer,
  evicted?: readonly (Buffer | number)[],
  isNoNews?: number,
  size?: number,
  bytes?: number,
];

/** What a copy has become. */
export interface Revealed {
  readonly id: string;
  readonly status: 'stored' | 'replaced' | 'duplicate';
}

/** A copy that is to become a message. @param publishId the first copy's id; null: it is the first */
export interface Comer {
  readonly copy: Copy;
  readonly publishId: string | null;
}

/** A copy as it is named to the place that decides: where it is, its name, the first one's id. */
export type Told = readonly [place: number, name: string, publishId: string];

export function told({ copy, publishId }: Comer): Told {
  return [copy.target.number, copy.name, publishId ?? ''];
}

/** So much room. */
export interface Room {
  readonly size: number;
  readonly bytes: number;
}

export interface ReserveOptions {
  /** Copies of the same transfer in one place, that were asked for before. */
  readonly before?: readonly Copy[];
  /** What to think of as stored: then it is a trial, and no room is taken. */
  readonly extra?: Room;
  /** Room that is about to be free, by place. */
  readonly credits?: Credits;
}

export type Credits = ReadonlyMap<number, Room>;

/** Asks every place for room for its copies, all at once. */
export async function reserve(
  store: RedisStore,
  copies: readonly Copy[],
  { before = [], extra, credits }: ReserveOptions = {},
): Promise<Map<Copy, Reservation>> {
  const reservations = new Map<Copy, Reservation>();
  const places = groupBy(copies, ({ target }) => target.number);
  await Promise.all(
    [...places.values()].map(async (group) => {
      const { target } = group[0]!;
      const request = {
        ref: settingsOf(alone(target)),
        isMoving: group.every((copy) => 'id' in copy.request),
        ...(before.length > 0 && { before: before.map(requestOf) }),
        ...(extra !== undefined && { extra }),
        credit: credits?.get(target.number),
        items: group.map(requestOf),
      };
      const args = [JSON.stringify(request), ...group.map(({ content }) => content)];
      const reply = await store.run('reserve', [target.number], args);
      const [news, answers] = reply as [News, ReservationReply[]];
      tellNews(store, news);
      group.forEach((copy, i) => reservations.set(copy, reservationOf(target, answers[i]!)));
    }),
  );
  return reservations;
}

function requestOf({ name, transfer, home, request }: Copy): object {
  return { name, transfer, home, ...request };
}

function reservationOf(
  target: QueueRef,
  [status, word, evicted, isNoNews, size, bytes]: ReservationReply,
): Reservation {
  switch (status.toString()) {
    case 'held':
      return {
        status: 'held',
        id: word!.toString('hex'),
        evicted: droppedFrom(target, evicted!),
        isNoNews: isNoNews === 1,
        room: { size: size!, bytes: bytes! },
      };
    case 'duplicate':
      return { status: 'duplicate', id: word!.toString('hex') };
    case 'full':
      return { status: 'full', limit: word!.toString() as 'maxSize' | 'maxBytes' };
    default:
      return { status: status.toString() as 'known' | 'missing' | 'refused' };
  }
}

/** @param evicted of each its id and two places, which are here those of one queue and of none */
function droppedFrom(queue: QueueRef, evicted: readonly (Buffer | number)[]): Evicted[] {
  const ids = evicted.filter((_, i) => i % 3 === 0) as Buffer[];
  return ids.map((id) => ({ id: id.toString('hex'), queue: queue.name, movedTo: null }));
}

/** A transfer of copies that is to be decided for. */
export interface Decision {
  readonly transfer: string;
  /** Copies that are held where it is decided. */
  readonly here: readonly Comer[];
  readonly others: readonly Told[];
}

/**
 * Makes decisions in one place, and reveals what is held there.
 * @returns for each what its copies there have become; null when it was decided against already
 */
export async function commit(
  store: RedisStore,
  home: number,
  decisions: readonly Decision[],
): Promise<readonly (Map<Copy, Revealed> | null)[]> {
  const items = decisions.map(({ transfer, here, others }) => {
    return { transfer, here: namesOf(here), others: others.flat() };
  });
  const reply = await store.run('commit', [home], [JSON.stringify(items)]);
  const [news, answers] = reply as [News, (Buffer[] | 0)[]];
  tellNews(store, news);
  return answers.map((answer, i) => (answer === 0 ? null : revealedOf(decisions[i]!.here, answer)));
}

/** Tells copies of one place that they have become messages. */
export async function reveal(
  store: RedisStore,
  place: number,
  comers: readonly Comer[],
): Promise<Map<Copy, Revealed>> {
  const reply = await store.run('reveal', [place], [JSON.stringify(namesOf(comers))]);
  const [news, answer] = reply as [News, Buffer[]];
  tellNews(store, news);
  return revealedOf(comers, answer);
}

function namesOf(comers: readonly Comer[]): string[] {
  return comers.flatMap(({ copy, publishId }) => [copy.name, publishId ?? '']);
}

/** @param answer id and status by turns; empty where a sweeper was quicker */
function revealedOf(comers: readonly Comer[], answer: readonly Buffer[]): Map<Copy, Revealed> {
  const revealed = new Map<Copy, Revealed>();
  for (const [i, { copy }] of comers.entries()) {
    const [id, status] = [answer[2 * i]!, answer[2 * i + 1]!];
    if (status.length === 0) continue;
    revealed.set(copy, {
      id: id.toString('hex'),
      status: status.toString() as Revealed['status'],
    });
  }
  return revealed;
}

/** Tells one place that all have heard of its decisions, and that copies held there will not come. */
export async function conclude(
  store: RedisStore,
  place: number,
  transfers: readonly string[],
  names: readonly string[],
): Promise<void> {
  const args = [JSON.stringify(transfers), JSON.stringify(names)];
  const [news] = (await store.run('conclude', [place], args)) as [News];
  tellNews(store, news);
}

/** Tells places in the background that all have heard of their decisions. */
export function concludeLater(
  store: RedisStore,
  decided: Iterable<readonly [place: number, transfers: readonly string[]]>,
): void {
  for (const [place, transfers] of decided) {
    // What fails, a sweeper makes up for.
    if (transfers.length > 0) void conclude(store, place, transfers, []).catch(() => undefined);
  }
}

/** Lets the room go that is held for copies that will not come. */
export async function letGo(store: RedisStore, copies: readonly Copy[]): Promise<void> {
  const places = groupBy(copies, ({ target }) => target.number);
  const endings = [...places].map(([place, group]) => {
    const names = group.map(({ name }) => name);
    return conclude(store, place, [], names);
  });
  // What fails, a sweeper makes up for.
  await Promise.allSettled(endings);
}
