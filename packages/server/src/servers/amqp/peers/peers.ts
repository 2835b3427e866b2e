import { type Driver, type TopologyStore } from 'wherry';
import { Documents } from '../../../access/documents.ts';
import { hasEnded, type ProcessPlace, thisProcess } from '../../../vhosts/process-place.ts';

export interface PeersParts {
  readonly store: Pick<Driver, 'now'> & { readonly topology: TopologyStore };
  /** Tells this broker from the others, and from itself before it was started again. */
  readonly instance: string;
  /** Milliseconds without a sign of life after which a broker counts as dead. */
  readonly timeout: number;
  readonly onError: (error: unknown) => void;
  /** This broker has found another dead. */
  readonly onDeath: (instance: string) => void;
}

/** Who has to know what becomes of the brokers. */
export interface PeersFollower {
  /** Regularly; `hasDeparted`: a broker has gone since, and may have left things behind. */
  look(hasDeparted: boolean): Promise<void>;
  /** Brokers have come or gone, or `isSure` has become true again. */
  changed(): void;
  /** The others took this broker for dead, and have what it had: it is about to be there again. */
  returning(): Promise<void>;
  /** It is. Called again when it fails: what has been done by then stays. */
  returned(): Promise<void>;
}

/** A broker's sign of life. */
interface Presence {
  /** By the store's clock. */
  readonly seenAt: number;
  /** It serves clients: what is to be done before anybody does has been done. */
  readonly isReady: boolean;
  readonly process: ProcessPlace;
}

/** Of the documents that brokers on one store have for each other. */
const KIND = 'amqp';
const PREFIX = 'broker/';
/** Two signs of life may fail to be given in time. */
const SIGNS_PER_TIMEOUT = 3;
const RETRY_MS = 1_000;
const REFRESH_PAUSE_MS = 100;
/** How often a broker that waits for another to prepare the store looks again. */
const LOOK_MS = 100;

/** The brokers that have a virtual host's store open, this one among them. */
export class Peers {
  readonly instance: string;
  /** Of every kind of document the changes come in order: who is named in one is known. */
  readonly notes: Documents<unknown>;
  readonly #parts: PeersParts;
  #follower: PeersFollower | null = null;
  /** When the last sign of life was begun, by a clock that nobody sets. */
  #signedAt = -Infinity;
  /** Until then nobody is taken for dead. */
  #patientUntil = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #refreshing: Promise<void> | null = null;
  #refreshedAt = -Infinity;
  #isReady = false;
  /** It is there again, and its follower has not done all that it has to do then. */
  #isReturning = false;
  #isClosed = false;
  // What a broker that is gone has left may be there from before.
  #hasDeparted = true;

  private constructor(parts: PeersParts) {
    this.#parts = parts;
    this.instance = parts.instance;
    this.notes = new Documents(parts.store.topology, KIND);
  }

  /** The others know of this broker from now on. @throws StorageError */
  static async open(parts: PeersParts): Promise<Peers> {
    const peers = new Peers(parts);
    await peers.#open();
    return peers;
  }

  /** Whether the broker lives, as far as the store says. */
  has(instance: string): boolean {
    return this.notes.has(PREFIX + instance);
  }

  /** All that live but this one. */
  others(): string[] {
    return this.#presences()
      .map(([instance]) => instance)
      .filter((instance) => instance !== this.instance);
  }

  /** False: for so long it could not say that it lives that others may take it for dead. */
  get isSure(): boolean {
    return performance.now() - this.#signedAt < this.#parts.timeout;
  }

  /**
   * What is known is what the store has. Who is refused may ask as fast as they like: looks are
   * made some time apart.
   * @throws StorageError
   */
  async refresh(): Promise<void> {
    // A look that has begun before may have missed what the caller wants to see.
    await this.#refreshing?.catch(() => undefined);
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
  }

  /** Serves from now on. @param first what is done if no other broker does, and before any does */
  async begin(follower: PeersFollower, first: () => Promise<void>): Promise<void> {
    this.#schedule(0);
    for (;;) {
      const present = this.#presences();
      if (present.some(([, { isReady }]) => isReady)) break;
      if (!present.some(([instance]) => this.#isBefore(instance))) {
        await first();
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.#follower = follower;
    this.#isReady = true;
    const known = new Set(this.#presences().map(([instance]) => PREFIX + instance));
    this.notes.watch((name) => {
      const isThere = this.notes.has(name);
      if (!name.startsWith(PREFIX) || known.has(name) === isThere) return;
      if (isThere) known.add(name);
      else known.delete(name);
      this.#hasDeparted ||= !isThere;
      follower.changed();
    });
    await this.#sign();
    this.#schedule(0);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    const isLeft = this.has(this.instance);
    this.notes.close();
    if (isLeft) await this.notes.update(PREFIX + this.instance, () => null).catch(() => undefined);
  }

  async #refresh(): Promise<void> {
    const wait = this.#refreshedAt + REFRESH_PAUSE_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    this.#refreshedAt = performance.now();
    await this.notes.refresh();
  }

  async #open(): Promise<void> {
    // First its own: of two that come at once, one at least sees the other.
    await this.#sign();
    await this.notes.open();
    await this.#bury();
  }

  /** @returns false: others took it for dead, and removed its presence */
  async #sign(mayReturn = true): Promise<boolean> {
    const begun = performance.now();
    const seenAt = await this.#parts.store.now();
    let isThere = true;
    await this.notes.update(PREFIX + this.instance, (present) => {
      isThere = mayReturn || present !== undefined;
      return isThere ? this.#presence(seenAt) : undefined;
    });
    if (isThere) this.#signedAt = begun;
    return isThere;
  }

  #presence(seenAt: number): Presence {
    return { seenAt, isReady: this.#isReady, process: thisProcess() };
  }

  #schedule(wait: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#goOn(this.#looking);
    }, wait).unref();
  }

  async #goOn(before: Promise<void> | null): Promise<void> {
    await before;
    this.#schedule(await this.#look());
  }

  /** @returns in how many milliseconds to look again */
  async #look(): Promise<number> {
    const interval = this.#parts.timeout / SIGNS_PER_TIMEOUT;
    const { onError } = this.#parts;
    try {
      const wasSure = this.isSure;
      await this.#sayAlive();
      if (!wasSure) this.#follower?.changed();
      const next = await this.#bury();
      const hasDeparted = this.#hasDeparted;
      if (this.#follower !== null) {
        this.#hasDeparted = false;
        await this.#follower.look(hasDeparted).catch((error: unknown) => {
          this.#hasDeparted ||= hasDeparted;
          throw error;
        });
      }
      return Math.min(interval, next);
    } catch (error) {
      onError(error);
      return Math.min(interval, RETRY_MS);
    }
  }

  async #sayAlive(): Promise<void> {
    const { timeout } = this.#parts;
    const begun = performance.now();
    const away = begun - this.#signedAt;
    if (!(await this.#sign(false))) {
      await this.#follower?.returning();
      await this.#sign();
      this.#isReturning = true;
    }
    if (this.#isReturning) {
      await this.#follower?.returned();
      this.#isReturning = false;
    }
    // What kept this one from giving signs in time may have kept the others too.
    if (away > (2 * timeout) / SIGNS_PER_TIMEOUT) {
      this.#patientUntil = performance.now() + timeout / SIGNS_PER_TIMEOUT;
    }
  }

  /** Removes those that are dead. @returns in how many milliseconds the next may be */
  async #bury(): Promise<number> {
    const { timeout, store } = this.#parts;
    const now = await store.now();
    let next = Infinity;
    const isDead = ({ seenAt, process }: Presence): boolean =>
      hasEnded(process) || (now - seenAt > timeout && performance.now() >= this.#patientUntil);
    for (const [instance, presence] of this.#presences()) {
      if (instance === this.instance) continue;
      next = Math.min(next, Math.max(0, presence.seenAt + timeout - now) + 1);
      if (!isDead(presence)) continue;
      let isBuried = false;
      await this.notes.update(PREFIX + instance, (present) => {
        isBuried = present !== undefined && isDead(present as Presence);
        return isBuried ? null : undefined;
      });
      if (isBuried) this.#parts.onDeath(instance);
    }
    const patience = this.#patientUntil - performance.now();
    return Math.max(next, patience, 0);
  }

  #presences(): [instance: string, Presence][] {
    return this.notes
      .entries()
      .filter(([name]) => name.startsWith(PREFIX))
      .map(([name, presence]) => [name.slice(PREFIX.length), presence as Presence]);
  }

  #isBefore(instance: string): boolean {
    const own = this.notes.numberOf(PREFIX + this.instance) ?? 0;
    return (this.notes.numberOf(PREFIX + instance) ?? Infinity) < own;
  }
}
