import { EventEmitter } from 'node:events';
import type { Evicted } from './driver.ts';
import type { DeathReason } from './message.ts';
import { WaitHistogram } from './wait-histogram.ts';

/** What happened to a message, and where. */
interface QueueEvent {
  readonly queue: string;
  readonly id: string;
}

/** Each event's payload. */
export interface EventMap {
  /** Stored: it will be delivered, unless it expires or is dropped by a setting. */
  enqueued: QueueEvent;
  /** Handed to a consumer. */
  delivered: QueueEvent & { readonly consumerId: string };
  acknowledged: QueueEvent;
  /** Failed, and will be tried again after `delay` milliseconds. */
  retried: QueueEvent & {
    readonly delay: number;
    readonly retryCount: number;
    readonly error?: string;
  };
  /** Moved to the dead-letter queue `to`. */
  deadLettered: QueueEvent & { readonly to: string; readonly reason: DeathReason };
  /**
   * An alarm: a dead message stays at its source, because its dead-letter queue (`waitingFor`) is
   * full, or because it died in a dead-letter queue (`waitingFor` is null: a person must decide).
   */
  parked: QueueEvent & { readonly waitingFor: string | null; readonly reason: DeathReason };
  /** Its time to live passed. A `deadLettered` follows where the queue names a dead-letter queue. */
  expired: QueueEvent;
  /** Took the place of one that waited (deduplication mode 'keep-last'); the id is that one's. */
  replaced: QueueEvent;
  /** Put out by `drop-oldest`, or dead in a queue that keeps no dead letters. */
  dropped: QueueEvent & { readonly movedTo: string | null };
  /**
   * A lease ended before its holder settled the message. `consumerId` is the holder's when it is
   * the holder that found out, null when the time did.
   */
  leaseLost: QueueEvent & { readonly consumerId: string | null };
  /**
   * Something failed outside a handler: a take, a settlement, the store. While nobody listens, the
   * first of each kind becomes a process warning, so that a queue does not stand still in silence.
   */
  consumerError: {
    readonly queue: string;
    readonly consumerId: string;
    readonly error: unknown;
  };
  /**
   * The tick of a schedule (milliseconds since 1970) could not be sent. It is tried again, unless it
   * was `givenUp`. Without a schedule or a tick, the store failed. While nobody listens, the first of
   * each kind becomes a process warning.
   */
  scheduleError: {
    readonly schedule: string | null;
    readonly tick: number | null;
    readonly error: unknown;
    readonly givenUp: boolean;
  };
}

export type EventName = keyof EventMap;

/** What is counted per queue. */
export const COUNTED = [
  'enqueued',
  'delivered',
  'acknowledged',
  'retried',
  'deadLettered',
  'expired',
  'dropped',
  'leaseLost',
] as const;

export type Counted = (typeof COUNTED)[number];
export type Counters = { [name in Counted]: number };

/** Counters since the system was opened, and their rates per second over about the last minute. */
export interface Activity {
  readonly counters: Readonly<Counters>;
  readonly rates: Readonly<Counters>;
}

/** Counts and tells what `drop-oldest` put out. */
export function tellEvicted(events: Events, evicted: readonly Evicted[] | undefined): void {
  for (const { id, queue, movedTo } of evicted ?? []) {
    events.count(queue, 'dropped');
    if (events.listens('dropped')) events.emit('dropped', { queue, id, movedTo });
    if (movedTo !== null) events.count(movedTo, 'enqueued');
  }
}

/** A moment and the counters at it. */
interface Sample {
  readonly at: number;
  readonly counters: Counters;
}

interface QueueActivity {
  readonly counters: Counters;
  readonly samples: Sample[];
  readonly waits: WaitHistogram;
}

const RATE_WINDOW_MS = 60_000;
const SAMPLE_EVERY_MS = 5_000;
const WARNINGS_MAX = 100;

/**
 * Events and counters from one source. Counting is an addition; an event's object is made only
 * when somebody listens.
 */
export class Events {
  readonly emitter: EventEmitter<{ [name in EventName]: [EventMap[name]] }> = new EventEmitter();
  readonly #activity = new Map<string, QueueActivity>();
  readonly #now: () => number;
  readonly #warned = new Set<string>();

  constructor(now: () => number) {
    this.#now = now;
    this.emitter.setMaxListeners(0);
  }

  /** Whether anybody wants the objects. */
  listens(name: EventName): boolean {
    return this.emitter.listenerCount(name) > 0;
  }

  count(queue: string, name: Counted, by = 1): void {
    this.#of(queue).counters[name] += by;
  }

  /** How long messages waited until they were handed out for the first time. */
  waits(queue: string): WaitHistogram {
    return this.#of(queue).waits;
  }

  /** Tells the listeners. One that throws harms neither the queue nor the other listeners' turn. */
  emit<Name extends EventName>(name: Name, event: EventMap[Name]): void {
    if ((name === 'consumerError' || name === 'scheduleError') && !this.listens(name)) {
      this.#warn(name, event as EventMap['consumerError' | 'scheduleError']);
      return;
    }
    try {
      (this.emitter as EventEmitter).emit(name, event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #warn(name: EventName, event: EventMap['consumerError'] | EventMap['scheduleError']): void {
    const { error } = event;
    const where =
      'schedule' in event
        ? `Schedule '${event.schedule ?? ''}'`
        : `Queue '${event.queue}', consumer '${event.consumerId}'`;
    const warning = `${where}: ${error instanceof Error ? error.message : String(error)}`;
    if (this.#warned.has(warning) || this.#warned.size >= WARNINGS_MAX) return;
    this.#warned.add(warning);
    process.emitWarning(warning, {
      type: 'WherryWarning',
      detail: `Listen to the '${name}' event to handle this.`,
    });
  }

  activity(queue: string): Activity {
    const entry = this.#of(queue);
    const now = this.#now();
    const { samples } = entry;
    while (samples.length > 1 && (samples[1] as Sample).at <= now - RATE_WINDOW_MS) samples.shift();
    const first = samples[0] as Sample;
    const counters = { ...entry.counters };
    const seconds = Math.max(1, (now - first.at) / 1_000);
    const rates = { ...counters };
    for (const name of COUNTED) rates[name] = (counters[name] - first.counters[name]) / seconds;
    if (now - (samples.at(-1) as Sample).at >= SAMPLE_EVERY_MS) samples.push({ at: now, counters });
    return { counters, rates };
  }

  forget(queue: string): void {
    this.#activity.delete(queue);
  }

  #of(queue: string): QueueActivity {
    let entry = this.#activity.get(queue);
    if (entry === undefined) {
      const counters = zeroes();
      const samples = [{ at: this.#now(), counters: zeroes() }];
      entry = { counters, samples, waits: new WaitHistogram() };
      this.#activity.set(queue, entry);
    }
    return entry;
  }
}

function zeroes(): Counters {
  return Object.fromEntries(COUNTED.map((name) => [name, 0])) as Counters;
}
