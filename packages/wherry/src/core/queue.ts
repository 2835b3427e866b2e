import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { QueueRef } from './driver.ts';
import { ValidationError } from './errors.ts';
import { show } from './limits.ts';
import { DEFAULT_QUEUE_SETTINGS, type QueueSettings } from './queue-settings.ts';

/** What the store keeps of a queue beside its name. */
export interface QueueDocument {
  readonly settings: QueueSettings;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly attributes?: Attributes | null;
}

/** What a protocol remembers of a declaration, as JSON. Nobody else looks at it. */
export type Attributes = Readonly<Record<string, unknown>>;

/**
 * A queue that exists. `T` is what its consumers get as payload, `Input` what producers give; they
 * come from the schema given to `createQueue`, or are the caller's word.
 */
export class Queue<T = unknown, Input = T> {
  readonly name: string;
  /** The incarnation: a queue deleted and created again has another. */
  readonly number: number;
  /** One more with each `updateQueue`. */
  readonly version: number;
  readonly settings: QueueSettings;
  readonly createdAt: Date;
  /** What the protocol that declared it remembers of that; else null. */
  readonly attributes: Attributes | null;
  /** Never set: they carry the payload's types, which nothing else in this class does. */
  declare readonly payloadType?: T;
  declare readonly inputType?: Input;

  constructor(name: string, number: number, version: number, document: QueueDocument) {
    this.name = name;
    this.number = number;
    this.version = version;
    // What an older version stored lacks the settings that are newer.
    this.settings = { ...DEFAULT_QUEUE_SETTINGS, ...document.settings };
    this.createdAt = new Date(document.createdAt);
    this.attributes = document.attributes ?? null;
  }
}

/** A queue by its name, or the object that `createQueue` gave. */
export type QueueLike<T = unknown, Input = unknown> = string | Queue<T, Input>;

/** A schema of any library that follows Standard Schema: zod, valibot, arktype … */
export type PayloadSchema<T = unknown, Input = unknown> = StandardSchemaV1<Input, T>;

/** @throws ValidationError when it is neither */
export function queueNameOf(queue: QueueLike): string {
  if (typeof queue !== 'string' && !(queue instanceof Queue)) {
    throw new ValidationError(
      `The queue is ${show(queue)}; give its name, or what createQueue answered.`,
    );
  }
  return typeof queue === 'string' ? queue : queue.name;
}

/** Whether its bound is kept by putting out, one by one, what goes through an exchange (trimmer.ts). */
export function isTrimmed({ overflow, deadLetterExchange }: QueueSettings): boolean {
  return overflow === 'drop-oldest' && deadLetterExchange !== null;
}

/** Whether it may have too much when messages go back to their places: its trimmer sees to it. */
export function mayReturnTooMuch(queue: Queue | undefined): boolean {
  if (queue === undefined) return false;
  const { boundOn, overflow } = queue.settings;
  return (overflow === 'drop-oldest' && boundOn === 'waiting') || isTrimmed(queue.settings);
}

/** The numbers of a queue that its store enforces. */
export function queueRef(queue: Queue, evictTo: QueueRef | null): QueueRef {
  const { settings } = queue;
  const bound = (limit: number | null): number =>
    limit === null || isTrimmed(settings) ? Infinity : limit;
  return {
    name: queue.name,
    number: queue.number,
    maxSize: bound(settings.maxSize),
    maxBytes: bound(settings.maxBytes),
    boundOn: settings.boundOn,
    overflow: settings.overflow === 'drop-oldest' ? 'drop-oldest' : 'reject',
    evictTo,
    messageTtl: settings.messageTtl,
    maxPriority: settings.maxPriority ?? 255,
    deduplicationWindow: settings.deduplicationWindow,
    maxInFlight: settings.maxInFlight ?? Infinity,
    groupMaxInFlight: settings.groupMaxInFlight,
    rateLimit: settings.rateLimit,
    groupRateLimit: settings.groupRateLimit,
    partitions: settings.partitions,
    durable: settings.durable,
  };
}
