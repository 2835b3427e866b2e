import type { Evicted, QueueRef } from '../../../core/driver.ts';
import type { RedisStore } from '../store.ts';
import { type Copy, type Credits, type Reservation, reserve, type Room } from './copies.ts';
import { dropsElsewhere } from './places.ts';

/** What room is made for. */
export interface Coming {
  readonly bytes: number;
  /** The deduplicationId under which it takes the place of another, if it does. */
  readonly keepLast: string | null;
}

export type Limit = 'maxSize' | 'maxBytes';

/** What was dropped; and the bound that leaves no room all the same, if one does. */
export interface Dropped {
  readonly evicted: readonly Evicted[];
  readonly limit: Limit | null;
}

/** How queues drop messages to other places; see evictions.ts. */
export interface Dropping {
  /**
   * Drops what it takes.
   * @param tryAgain says whether there is room now
   * @param credits room that is about to be free where it goes
   */
  dropToMakeRoom(
    store: RedisStore,
    queue: QueueRef,
    coming: Coming,
    tryAgain: () => Promise<boolean>,
    credits: Credits,
  ): Promise<Dropped>;
  /**
   * What would be dropped, if it were.
   * @param extra what to think of as stored where it goes
   * @returns the room that it takes there; or the bound that leaves none here, once there is none there
   */
  roomForDropped(
    store: RedisStore,
    queue: QueueRef,
    coming: Coming,
    extra: Room,
  ): Promise<Room | Limit>;
}

/** The room that one call has taken for its copies. */
export class Rooms {
  readonly #store: RedisStore;
  readonly #dropping: Dropping | null;
  readonly #credits: Credits;
  readonly #reservations = new Map<Copy, Reservation>();
  /** What went elsewhere, so that a copy has room. */
  readonly #dropped = new Map<Copy, readonly Evicted[]>();

  /**
   * @param dropping null where no queue drops messages to another place
   * @param credits room that is about to be free, by place
   */
  constructor(store: RedisStore, dropping: Dropping | null, credits: Credits) {
    this.#store = store;
    this.#dropping = dropping;
    this.#credits = credits;
  }

  /**
   * Takes room for copies of which each group is to come whole or not at all: first for those groups
   * that drop nothing, together; then for the others one by one.
   */
  async takeAll(groups: readonly (readonly Copy[])[]): Promise<void> {
    const drops = (copies: readonly Copy[]): boolean =>
      copies.some(({ target }) => target.overflow !== 'reject');
    await this.#take(groups.filter((copies) => !drops(copies)).flat());
    for (const copies of groups.filter(drops)) await this.#takeInTurn(copies);
  }

  /** @returns undefined for one that was not asked for, because another was refused */
  reservationOf(copy: Copy): Reservation | undefined {
    return this.#reservations.get(copy);
  }

  /** @returns what the place, or others, dropped for a copy that is held */
  evictedFor(copy: Copy): Evicted[] {
    const reservation = this.#reservations.get(copy);
    const here = reservation?.status === 'held' ? reservation.evicted : [];
    return [...here, ...(this.#dropped.get(copy) ?? [])];
  }

  isHeld(copy: Copy): boolean {
    return this.#reservations.get(copy)?.status === 'held';
  }

  /** One copy after the other, and none unless all will have room: so what is refused drops nothing. */
  async #takeInTurn(copies: readonly Copy[]): Promise<void> {
    const planned = new Planned(this.#credits);
    const beforeOf = (copy: Copy): Copy[] => {
      const earlier = copies.slice(0, copies.indexOf(copy));
      return earlier.filter(({ target }) => target.number === copy.target.number);
    };
    for (const copy of copies) await this.#try(copy, beforeOf(copy), planned);
    if (copies.some((copy) => this.#reservations.has(copy))) return;
    for (const copy of copies) {
      const take = async (): Promise<boolean> => {
        await this.#take([copy], beforeOf(copy));
        return this.#reservations.get(copy)!.status !== 'full';
      };
      if ((await take()) || this.#dropping === null || !dropsElsewhere(copy.target)) continue;
      const coming = comingAs(copy);
      const { evicted } = await this.#dropping.dropToMakeRoom(
        this.#store,
        copy.target,
        coming,
        take,
        this.#credits,
      );
      this.#dropped.set(copy, evicted);
    }
  }

  /**
   * Notes what a copy would be refused for, or the room that it would take.
   * @param planned room that those before it will have taken, by queue
   */
  async #try(copy: Copy, before: readonly Copy[], planned: Planned): Promise<void> {
    const { target } = copy;
    const extra = planned.at(target);
    const reservation = (await reserve(this.#store, [copy], { before, extra })).get(copy)!;
    const { status } = reservation;
    if (status === 'held') {
      planned.add(target, reservation.room);
      planned.add(target, { size: -reservation.evicted.length, bytes: 0 });
    } else if (status === 'full' && this.#dropping !== null && dropsElsewhere(target)) {
      const coming = comingAs(copy);
      const there = planned.at(target.evictTo!);
      const dropped = await this.#dropping.roomForDropped(this.#store, target, coming, there);
      if (typeof dropped === 'string') {
        this.#reservations.set(copy, { status: 'full', limit: dropped });
        return;
      }
      planned.add(target.evictTo!, dropped);
      planned.add(target, { size: 1 - dropped.size, bytes: coming.bytes - dropped.bytes });
    } else if (status !== 'duplicate') this.#reservations.set(copy, reservation);
  }

  async #take(copies: readonly Copy[], before: readonly Copy[] = []): Promise<void> {
    const reservations = await reserve(this.#store, copies, { before, credits: this.#credits });
    for (const [copy, reservation] of reservations) this.#reservations.set(copy, reservation);
  }
}

/** Room that will be taken, by queue. */
class Planned {
  readonly #rooms = new Map<number, Room>();

  constructor(credits: Credits) {
    for (const [place, { size, bytes }] of credits) {
      this.#rooms.set(place, { size: -size, bytes: -bytes });
    }
  }

  at(queue: QueueRef): Room {
    return this.#rooms.get(queue.number) ?? { size: 0, bytes: 0 };
  }

  add(queue: QueueRef, { size, bytes }: Room): void {
    const before = this.at(queue);
    this.#rooms.set(queue.number, { size: before.size + size, bytes: before.bytes + bytes });
  }
}

function comingAs({ request }: Copy): Coming {
  if ('id' in request) return { bytes: request.bytes, keepLast: null };
  const { bytes, keepLast, deduplicationId } = request.run;
  return { bytes, keepLast: keepLast === true ? deduplicationId! : null };
}
