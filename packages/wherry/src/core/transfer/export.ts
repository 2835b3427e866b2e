import type { Driver, StoredMessage } from '../driver.ts';
import type { ScheduleDocument } from '../schedules/document.ts';
import { type ArchiveLine, formatLine } from './archive.ts';
import { readDefinitions } from './definitions.ts';
import { browseAll, byPlace, listPlaces, type Place } from './places.ts';
import { schedulesOf } from './schedules.ts';
import type { Side } from './side.ts';

export interface ExportOptions {
  /** Only these queues, and the exchanges that lead to them; left out: everything. */
  readonly queues: readonly string[] | undefined;
  /** Drawn for this export. */
  readonly id: string;
}

export interface ExportPage {
  /** Whole lines, the newlines included. */
  readonly text: string;
  /** Messages up to here. */
  readonly messages: number;
}

const PAGE_MAX = 500;
/** Of payloads in memory at once, as far as their average tells. */
const PAGE_BYTES = 8 * 1024 * 1024;

/**
 * Everything in a store as text, a piece at a time; nothing is taken. Of a store in use it is no
 * picture of one moment: what changes its state meanwhile may be missed, or be there twice.
 * @throws QueueNotFoundError, StorageError
 */
export async function* exportStore(
  side: Side,
  { queues, id }: ExportOptions,
): AsyncGenerator<ExportPage> {
  const definitions = readDefinitions(side.topology, queues);
  const exportedAt = await side.driver.now();
  yield pageOf(
    [
      { kind: 'header', id, exportedAt },
      ...definitions.queues.map((queue) => ({ kind: 'queue' as const, queue })),
      ...definitions.exchanges.map((exchange) => ({ kind: 'exchange' as const, exchange })),
      ...definitions.bindings.map((binding) => ({ kind: 'binding' as const, binding })),
      ...schedulesOf(side, definitions).map(({ name, value }) => ({
        kind: 'schedule' as const,
        name,
        value: value as ScheduleDocument,
      })),
    ],
    0,
  );
  let messages = 0;
  for (const { name } of definitions.queues) {
    for await (const stored of messagesOf(side, name)) {
      messages += stored.length;
      yield pageOf(
        stored.map((message) => ({ kind: 'message', message: withoutPlace(message) })),
        messages,
      );
    }
  }
  yield pageOf([{ kind: 'end', messages }], messages);
}

/**
 * In the order in which an import must store them: what is leased or waits for its time stands
 * among what is ready, at its place.
 */
async function* messagesOf(
  { driver, topology }: Side,
  name: string,
): AsyncGenerator<readonly StoredMessage[]> {
  const queue = topology.ref(name);
  const { ready, scheduled, leased, bytes } = await driver.counts(queue);
  const average = bytes / Math.max(1, ready + scheduled + leased);
  const limit = Math.ceil(Math.min(PAGE_MAX, PAGE_BYTES / Math.max(1, average)));
  const others = [
    ...(await listPlaces(driver, queue, 'leased')),
    ...(await listPlaces(driver, queue, 'scheduled')),
  ].toSorted(byPlace);
  const otherIds = new Set(others.map(({ id }) => id));
  let next = 0;
  for await (const page of browseAll(driver, queue, 'ready', limit)) {
    const merged: StoredMessage[] = [];
    for (const message of page) {
      if (otherIds.has(message.id)) continue;
      const from = next;
      while (next < others.length && byPlace(others[next]!, message) < 0) next++;
      merged.push(...(await getAll(driver, others.slice(from, next))), message);
    }
    if (merged.length > 0) yield merged;
  }
  for (; next < others.length; next += limit) {
    yield getAll(driver, others.slice(next, next + limit));
  }
}

/** Those that are still stored. */
async function getAll(driver: Driver, places: readonly Place[]): Promise<StoredMessage[]> {
  const found = await Promise.all(places.map(({ id }) => driver.get(id)));
  return found.filter((message) => message !== null);
}

/** Where it stood and who held it means nothing elsewhere. */
function withoutPlace({
  publishId: _publishId,
  sequence: _sequence,
  state: _state,
  lease: _lease,
  ...message
}: StoredMessage): Omit<StoredMessage, 'publishId' | 'sequence' | 'state' | 'lease'> {
  return message;
}

function pageOf(lines: readonly ArchiveLine[], messages: number): ExportPage {
  return { text: lines.map((line) => `${formatLine(line)}\n`).join(''), messages };
}
