import type { TopologyChange, TopologyEntry, TopologyStore } from '../../core/driver.ts';
import type { ScriptArgument, ScriptName } from './scripts.ts';

type Listener = (change: TopologyChange) => void;

export interface TopologyParts {
  /** Runs a script on the topology's keys. */
  readonly run: (name: ScriptName, args: readonly ScriptArgument[]) => Promise<unknown>;
  /** Where changes are told. */
  readonly channel: string;
  /** Called when it becomes known over which places a queue is spread. */
  readonly onPlaces: (queueNumber: number) => void;
}

/** A change as it is told, with the number of changes that there were with it. */
type Numbered = { readonly revision: number } & (
  | {
      readonly field: string;
      /** Version, number and value; null: removed. */
      readonly record: string | null;
    }
  | { readonly queueNumber: number; readonly places: readonly number[] }
);

/**
 * Small documents by kind and name, changed by compare-and-set in one place of the store. Each
 * change has a number, the revision: who misses one notices, and loads all anew.
 */
export class RedisTopology implements TopologyStore {
  readonly #parts: TopologyParts;
  readonly #listeners = new Set<Listener>();
  /** Records by field, as of `#revision`. */
  #records = new Map<string, string>();
  /** Of queues that are spread, their places; and back. */
  #places = new Map<number, readonly number[]>();
  readonly #queueOfPlace = new Map<number, number>();
  #revision = -1;
  /** Changes that are known before those that come before them. */
  readonly #early = new Map<number, Numbered>();
  #loading: Promise<void> | null = null;

  constructor(parts: TopologyParts) {
    this.#parts = parts;
  }

  get revision(): number {
    return this.#revision;
  }

  async load(): Promise<readonly TopologyEntry[]> {
    await this.reload();
    return [...this.#records].map(([field, record]) => decode(field, record));
  }

  async put(
    entry: { readonly kind: string; readonly name: string; readonly value: unknown },
    expectedVersion: number,
  ): Promise<TopologyEntry | null> {
    const field = JSON.stringify([entry.kind, entry.name]);
    const json = JSON.stringify(entry.value);
    const args = [field, expectedVersion, json, this.#parts.channel];
    const [revision, number] = (await this.#parts.run('topology-put', args)) as number[];
    if (revision === undefined) return null;
    const record = `${expectedVersion + 1} ${number} ${json}`;
    this.#accept({ revision, field, record });
    return decode(field, record);
  }

  async remove(kind: string, name: string, expectedVersion: number): Promise<boolean> {
    const field = JSON.stringify([kind, name]);
    return this.#remove([field, expectedVersion, '']);
  }

  /** Removes the entry of a queue that was deleted. @returns whether it was there */
  async removeNumber(number: number): Promise<boolean> {
    return this.#remove(['', '', number]);
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The places of all queues that are known now: mostly, a queue is one place by its own number. */
  *places(): Generator<number> {
    for (const [field, record] of this.#records) {
      if (!field.startsWith('["queue",')) continue;
      const number = numberIn(record);
      yield* this.#places.get(number) ?? [number];
    }
  }

  /** @returns the queue that is spread over this place and others; most places are queues themselves */
  queueOfPlace(place: number): number {
    return this.#queueOfPlace.get(place) ?? place;
  }

  /** @returns the places of a queue as far as they are known here */
  knownPlaces(queueNumber: number): readonly number[] {
    return this.#places.get(queueNumber) ?? [queueNumber];
  }

  /**
   * @returns the places that a queue is spread over, chosen the first time they are asked for; null
   *   when there is no such queue
   */
  async placesOf(queueNumber: number, partitions: number): Promise<readonly number[] | null> {
    const known = this.#places.get(queueNumber);
    if (known !== undefined) return known;
    const args = [queueNumber, partitions, this.#parts.channel];
    const answer = await this.#parts.run('partition', args);
    const [text, revision] = answer as [Buffer?, number?];
    if (text === undefined) return null;
    const places = text.toString().split(' ').map(Number);
    this.#setPlaces(queueNumber, places);
    if (revision !== undefined) this.#accept({ revision, queueNumber, places });
    return places;
  }

  /** A notice on the channel. They come in order: with a later one, those before are lost. */
  receive(payload: string): void {
    const [, digits, what, field, record] = NOTICE.exec(payload) ?? [];
    if (field === undefined) return;
    const revision = Number(digits);
    if (what === 'places') {
      const [queueNumber, ...places] = field.split(' ').map(Number);
      this.#accept({ revision, queueNumber: queueNumber!, places });
    } else this.#accept({ revision, field, record: what === 'put' ? record! : null });
    if (this.#revision < revision) void this.reload().catch(() => undefined);
  }

  /** Reads everything, and tells what differs from what was known. */
  async reload(): Promise<void> {
    // One that is under way may have read before what the caller wants to see.
    await this.#loading?.catch(() => undefined);
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null;
    });
    await this.#loading;
  }

  async #load(): Promise<void> {
    const known = this.#revision;
    const answer = await this.#parts.run('topology-load', []);
    const [revision, entries, spread] = answer as [number, Buffer[], Buffer[]];
    // Meanwhile told of changes that it did not see yet. But a store may also have gone back to what
    // it was before, when a replica that lacked the last changes took over.
    if (revision < this.#revision && revision >= known) return;
    const records = new Map(pairs(entries));
    for (const [queue, places] of pairs(spread)) {
      this.#setPlaces(Number(queue), places.split(' ').map(Number));
    }
    const before = this.#records;
    this.#records = records;
    this.#revision = revision;
    for (const field of before.keys()) if (!records.has(field)) this.#announce(field, null);
    for (const [field, record] of records) {
      if (before.get(field) !== record) this.#announce(field, record);
    }
    this.#advance();
  }

  async #remove(what: readonly ScriptArgument[]): Promise<boolean> {
    const answer = await this.#parts.run('topology-remove', [...what, this.#parts.channel]);
    const [revision, field] = answer as [number?, Buffer?];
    if (revision === undefined || field === undefined) return false;
    this.#accept({ revision, field: field.toString(), record: null });
    return true;
  }

  #accept(change: Numbered): void {
    if (change.revision <= this.#revision) return;
    this.#early.set(change.revision, change);
    this.#advance();
  }

  /** Applies what is next, as far as it is known. */
  #advance(): void {
    for (const revision of this.#early.keys()) {
      if (revision <= this.#revision) this.#early.delete(revision);
    }
    for (;;) {
      const next = this.#early.get(this.#revision + 1);
      if (next === undefined) return;
      this.#early.delete(next.revision);
      this.#revision = next.revision;
      if ('places' in next) {
        this.#setPlaces(next.queueNumber, next.places);
        continue;
      }
      if (next.record === null) this.#records.delete(next.field);
      else this.#records.set(next.field, next.record);
      this.#announce(next.field, next.record);
    }
  }

  #setPlaces(queueNumber: number, places: readonly number[]): void {
    const isNews = !this.#places.has(queueNumber);
    this.#places.set(queueNumber, places);
    for (const place of places) this.#queueOfPlace.set(place, queueNumber);
    if (isNews) this.#parts.onPlaces(queueNumber);
  }

  #announce(field: string, record: string | null): void {
    for (const listener of this.#listeners) {
      if (record === null) {
        const [kind, name] = JSON.parse(field) as [string, string];
        listener({ type: 'removed', kind, name });
      } else listener({ type: 'put', entry: decode(field, record) });
    }
  }
}

const NOTICE = /^(\d+) (put|removed|places) ([^\n]*)(?:\n([^]*))?$/;

/** Parsed anew for everybody who gets it: they may change it. */
function decode(field: string, record: string): TopologyEntry {
  const [kind, name] = JSON.parse(field) as [string, string];
  const [, version, number, json] = /^(\d+) (\d+) ([^]*)$/.exec(record)!;
  const value: unknown = JSON.parse(json!);
  return { kind, name, number: Number(number), version: Number(version), value };
}

function numberIn(record: string): number {
  return Number(
    record.slice(record.indexOf(' ') + 1, record.indexOf(' ', record.indexOf(' ') + 1)),
  );
}

function pairs(flat: readonly Buffer[]): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    result.push([flat[i]!.toString(), flat[i + 1]!.toString()]);
  }
  return result;
}
