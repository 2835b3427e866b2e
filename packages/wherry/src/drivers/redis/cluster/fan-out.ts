import { randomBytes } from 'node:crypto';
import type { PublishItem, PublishOutcome } from '../../../core/driver.ts';
import { StorageError } from '../../../core/errors.ts';
import { soloRun } from '../publish.ts';
import { encodeContent } from '../content.ts';
import type { RedisStore } from '../store.ts';
import {
  type Comer,
  commit,
  concludeLater,
  type Copy,
  letGo,
  reveal,
  type Revealed,
  told,
} from './copies.ts';
import { evictions } from './evictions.ts';
import { groupBy } from './places.ts';
import { Rooms } from './rooms.ts';

/** A message and its copies, in order of its targets. */
interface Sent {
  readonly item: PublishItem;
  readonly copies: readonly Copy[];
}

/** What is stored in several places, or in none. */
interface Transfer {
  readonly name: string;
  /** The place that decides. */
  readonly home: number;
  readonly sent: readonly Sent[];
}

/**
 * new -> ready or scheduled in places that no script reaches all of: room is taken in each, then one
 * place decides, then each copy is revealed. Until the decision, a failure leaves nothing behind;
 * from then on, whoever sweeps brings it to its end.
 * @param groups each is stored whole or not at all
 * @param isEager whether the others go on when one is refused
 * @returns for each group its outcomes; null when one was refused and nothing is stored of any
 */
export async function publishGroups(
  store: RedisStore,
  groups: readonly (readonly PublishItem[])[],
  isEager: boolean,
): Promise<PublishOutcome[][] | null> {
  const transfers = groups.map(transferOf);
  const rooms = new Rooms(store, evictions, new Map());
  let isDecided = false;
  try {
    await rooms.takeAll(transfers.map(copiesOf));
    const accepted = transfers.filter((transfer) => refusalOf(transfer, rooms) === null);
    const going = isEager || accepted.length === transfers.length ? accepted : [];
    await letGo(
      store,
      heldOf(
        transfers.filter((transfer) => !going.includes(transfer)),
        rooms,
      ),
    );
    if (going.length < accepted.length) return null;
    isDecided = true;
    const revealed = await decide(store, going, rooms);
    return transfers.map((transfer) => {
      const refusal = refusalOf(transfer, rooms);
      if (refusal !== null) return transfer.sent.map(() => refusal);
      return transfer.sent.map((sent) => outcomeOf(sent, rooms, revealed));
    });
  } catch (error) {
    // Once it may be decided, the room is not ours to let go.
    if (!isDecided) await letGo(store, heldOf(transfers, rooms));
    throw error;
  }
}

function transferOf(items: readonly PublishItem[]): Transfer {
  const name = randomBytes(12).toString('base64url');
  const home = items[0]!.targets[0]!.number;
  const sent = items.map((item, i) => ({ item, copies: copiesOfItem(item, i, name, home) }));
  return { name, home, sent };
}

function copiesOfItem(item: PublishItem, index: number, transfer: string, home: number): Copy[] {
  const { targets, message } = item;
  const content = encodeContent(message);
  const { id: known, ...run } = soloRun([1], message);
  return targets.map((target, i) => ({
    name: `${transfer}/${index}.${i}`,
    transfer,
    home,
    target,
    // The first copy takes the id that was given.
    request: { run: i === 0 && known !== undefined ? { ...run, id: known } : run, known },
    content,
  }));
}

function copiesOf({ sent }: Transfer): Copy[] {
  return sent.flatMap(({ copies }) => copies);
}

/** Makes the decisions, and tells all places of them. */
async function decide(
  store: RedisStore,
  transfers: readonly Transfer[],
  rooms: Rooms,
): Promise<ReadonlyMap<Copy, Revealed>> {
  const isAnywhere = (transfer: Transfer): boolean => comersOf(transfer, rooms).length > 0;
  const homes = groupBy(transfers.filter(isAnywhere), ({ home }) => home);
  const revealed = new Map<Copy, Revealed>();
  const decided = await Promise.all(
    [...homes].map(async ([home, group]) => {
      const decisions = group.map((transfer) => {
        const comers = comersOf(transfer, rooms);
        const here = comers.filter(({ copy }) => copy.target.number === home);
        const others = comers.filter(({ copy }) => copy.target.number !== home);
        return { transfer: transfer.name, here, others: others.map(told), elsewhere: others };
      });
      const answers = await commit(store, home, decisions);
      if (answers.includes(null)) throw tooSlow();
      for (const answer of answers) for (const [copy, what] of answer!) revealed.set(copy, what);
      return { home, decisions };
    }),
  );
  const comers = decided.flatMap(({ decisions }) =>
    decisions.flatMap(({ elsewhere }) => elsewhere),
  );
  const places = groupBy(comers, ({ copy }) => copy.target.number);
  const tellings = await Promise.allSettled(
    [...places].map(([place, group]) => reveal(store, place, group)),
  );
  for (const telling of tellings) {
    if (telling.status === 'rejected') continue;
    for (const [copy, what] of telling.value) revealed.set(copy, what);
  }
  // Who did not hear of it is told by a sweeper.
  if (tellings.every(({ status }) => status === 'fulfilled')) {
    concludeLater(
      store,
      decided.map(({ home, decisions }) => [home, decisions.map(({ transfer }) => transfer)]),
    );
  }
  return revealed;
}

function heldOf(transfers: readonly Transfer[], rooms: Rooms): Copy[] {
  return transfers.flatMap(copiesOf).filter((copy) => rooms.isHeld(copy));
}

/** The copies that are to become messages, and whose copies they are. */
function comersOf({ sent }: Transfer, rooms: Rooms): Comer[] {
  return sent.flatMap(({ copies }) => {
    let publishId: string | null = null;
    return copies.flatMap((copy) => {
      const reservation = rooms.reservationOf(copy);
      if (reservation?.status !== 'held') return [];
      const comer = { copy, publishId };
      if (!reservation.isNoNews) publishId ??= reservation.id;
      return [comer];
    });
  });
}

/** @returns the outcome of the first item that is refused, or null */
function refusalOf({ sent }: Transfer, rooms: Rooms): PublishOutcome | null {
  for (const { item, copies } of sent) {
    const statusOf = (copy: Copy): string | undefined => rooms.reservationOf(copy)?.status;
    const missing = copies.find((copy) => statusOf(copy) === 'missing');
    if (missing !== undefined) return { status: 'missing', queue: missing.target.name };
    if (copies.some((copy) => statusOf(copy) === 'known')) {
      return { status: 'duplicate', id: item.message.id! };
    }
    for (const copy of copies) {
      const reservation = rooms.reservationOf(copy);
      if (reservation?.status === 'refused') throw tooSlow();
      if (reservation?.status !== 'full') continue;
      return { status: 'full', queue: copy.target.name, limit: reservation.limit };
    }
  }
  return null;
}

function outcomeOf(
  { copies }: Sent,
  rooms: Rooms,
  revealed: ReadonlyMap<Copy, Revealed>,
): PublishOutcome {
  const statuses = new Set<string>();
  const evicted = copies.flatMap((copy) => rooms.evictedFor(copy));
  const ids = copies.map((copy) => {
    statuses.add(revealed.get(copy)?.status ?? (rooms.isHeld(copy) ? 'stored' : 'duplicate'));
    // Of one that is not revealed yet, what it was given when room was taken for it.
    return revealed.get(copy)?.id ?? (rooms.reservationOf(copy) as { readonly id: string }).id;
  });
  return {
    status: (['stored', 'replaced', 'duplicate'] as const).find((one) => statuses.has(one))!,
    id: ids[0]!,
    ...(ids.length > 1 && { ids }),
    ...(evicted.length > 0 && { evicted }),
  };
}

function tooSlow(): StorageError {
  return new StorageError(
    'The Redis Cluster took so long that the send was given up, by whoever swept meanwhile. ' +
      'Nothing was stored. Send again.',
    { code: 'STORAGE_UNAVAILABLE', retriable: true },
  );
}
