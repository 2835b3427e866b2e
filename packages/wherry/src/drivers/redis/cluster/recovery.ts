import { type News, type RedisStore, tellNews } from '../store.ts';
import { conclude } from './copies.ts';
import { groupBy } from './places.ts';

/** At most so many transfers of one place are seen to at a time. */
const OVERDUE_MAX = 100;

/** A copy that is held, and who knows what is to become of it. */
interface HeldCopy {
  readonly name: string;
  readonly transfer: string;
  readonly home: number;
  /** Whether the decision may still be made by whoever began it. */
  readonly isOpen: boolean;
}

type Overdue =
  | readonly [kind: Buffer, name: Buffer, transfer: Buffer, home: number, isOpen: number]
  | readonly [kind: Buffer, transfer: Buffer, others: readonly (Buffer | number)[]]
  | readonly [kind: Buffer, transfer: Buffer];

/**
 * Brings transfers to their end that whoever began them did not, in the place where they are found.
 * Any process may do it, several at once, and as often as it takes.
 */
export async function endOverdue(store: RedisStore, place: number): Promise<void> {
  const reply = (await store.run('overdue', [place], [OVERDUE_MAX])) as [News, Overdue[]];
  const [news, overdue] = reply;
  tellNews(store, news);
  const held: HeldCopy[] = [];
  const departing: string[] = [];
  for (const one of overdue) {
    const kind = one[0].toString();
    const name = one[1].toString();
    if (kind === 'h') {
      const [, , transfer, home, isOpen] = one as Extract<Overdue, { length: 5 }>;
      held.push({ name, transfer: transfer.toString(), home, isOpen: isOpen === 1 });
    } else if (kind === 'd') departing.push(name);
    else await tellOthers(store, place, name, (one as Extract<Overdue, { length: 3 }>)[2]);
  }
  if (departing.length > 0) await judge(store, place, departing, [], false);
  const homes = groupBy(held, ({ home, isOpen }) => `${home} ${isOpen}`);
  for (const group of homes.values()) await askHome(store, place, group);
}

/** Tells the copies of a transfer that it is decided. */
async function tellOthers(
  store: RedisStore,
  home: number,
  transfer: string,
  flat: readonly (Buffer | number)[],
): Promise<void> {
  const others: { place: number; name: string; publishId: string }[] = [];
  for (let at = 0; at < flat.length; at += 3) {
    const [name, publishId] = [flat[at + 1]!.toString(), flat[at + 2]!.toString()];
    others.push({ place: flat[at] as number, name, publishId });
  }
  for (const [place, copies] of groupBy(others, (copy) => copy.place)) {
    await reveal(
      store,
      place,
      copies.map(({ name, publishId }) => [name, publishId] as const),
    );
  }
  await conclude(store, home, [transfer], []);
}

/** Asks the place that decides on copies that are held in another, and does what it says. */
async function askHome(
  store: RedisStore,
  place: number,
  copies: readonly HeldCopy[],
): Promise<void> {
  const { home, isOpen } = copies[0]!;
  const transfers = copies.map(({ transfer }) => transfer);
  const names = copies.map(({ name }) => name);
  const verdicts = await judge(store, home, transfers, names, isOpen);
  const coming = names.flatMap((name, i) => {
    const verdict = verdicts[i]!;
    return verdict === 0 ? [] : [[name, verdict.toString()] as const];
  });
  if (coming.length > 0) await reveal(store, place, coming);
  const refused = names.filter((_, i) => verdicts[i] === 0);
  if (refused.length > 0) await conclude(store, place, [], refused);
}

async function judge(
  store: RedisStore,
  home: number,
  transfers: readonly string[],
  names: readonly string[],
  isOpen: boolean,
): Promise<readonly (Buffer | 0)[]> {
  const words = transfers.flatMap((transfer, i) => [transfer, names[i] ?? '']);
  const reply = await store.run('judge', [home], [JSON.stringify(words), isOpen ? '1' : '']);
  const [news, verdicts] = reply as [News, (Buffer | 0)[]];
  tellNews(store, news);
  return verdicts;
}

async function reveal(
  store: RedisStore,
  place: number,
  copies: readonly (readonly [name: string, publishId: string])[],
): Promise<void> {
  const reply = await store.run('reveal', [place], [JSON.stringify(copies.flat())]);
  const [news] = reply as [News];
  tellNews(store, news);
}
