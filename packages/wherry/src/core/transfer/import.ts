import type { StoredMessage } from '../driver.ts';
import { ValidationError } from '../errors.ts';
import {
  type ArchivedMessage,
  type ArchiveHeader,
  type ArchiveLine,
  parseHeader,
  parseLine,
} from './archive.ts';
import { carry } from './carry.ts';
import { type Definitions, writeDefinitions } from './definitions.ts';
import { publishFenced } from './fenced-publish.ts';
import { needsReinstating, reinstate } from './reinstate.ts';
import { restoreSchedule } from './schedules.ts';
import { isVolatile, type Side } from './side.ts';

export interface ImportOptions {
  /** Only these queues; left out: all. */
  readonly queues: readonly string[] | undefined;
  /** Queues that are there with other settings keep them; else that is an error. */
  readonly keepSettings: boolean;
  /** Imports what was imported before, unless it is still there. A name drawn for it; null: don't. */
  readonly again: string | null;
}

export interface ImportResult {
  readonly queues: number;
  readonly exchanges: number;
  readonly bindings: number;
  readonly schedules: number;
  /** Stored now. */
  readonly messages: number;
  /** There already, or imported before. */
  readonly duplicates: number;
  /** Put out to make room, by a queue's own overflow policy. */
  readonly evicted: number;
  /** By queue: messages that were not stored, and why. */
  readonly refused: Readonly<Record<string, Refused>>;
}

export interface Refused {
  readonly messages: number;
  /** The queue's bound; or 'volatile': they would have been in the memory of this process only. */
  readonly reason: 'maxSize' | 'maxBytes' | 'volatile';
}

interface Numbered {
  readonly line: number;
  readonly message: ArchivedMessage;
}

const BATCH_MAX = 500;
const BATCH_BYTES = 8 * 1024 * 1024;
const LEASE_MS = 60_000;

/**
 * Stores what an export holds, line by line. An import that was ended at any moment is finished by
 * doing it again: a fence in each queue remembers up to which line it has come.
 */
export class Import {
  readonly #side: Side;
  readonly #options: ImportOptions;
  #header: ArchiveHeader | null = null;
  #definitions: { -readonly [Kind in keyof Definitions]: [...Definitions[Kind]] } | null = null;
  readonly #schedules: Extract<ArchiveLine, { kind: 'schedule' }>[] = [];
  #isDefined = false;
  #batch: Numbered[] = [];
  #batchBytes = 0;
  #read = 0;
  #expected: number | null = null;
  readonly #count = { messages: 0, duplicates: 0, evicted: 0 };
  readonly #refused = new Map<string, Refused>();

  constructor(side: Side, options: ImportOptions) {
    this.#side = side;
    this.#options = options;
  }

  /** How many messages were dealt with so far. */
  get done(): number {
    return this.#count.messages + this.#count.duplicates;
  }

  /**
   * @param line its number, from 1 on: the same each time this export is imported
   * @param value the JSON value of the line
   * @throws ValidationError, QueueExistsError, StorageError
   */
  async add(line: number, value: unknown): Promise<void> {
    if (this.#header === null) {
      this.#header = parseHeader(value);
      this.#definitions = { queues: [], exchanges: [], bindings: [] };
      return;
    }
    const parsed = parseLine(value);
    if (parsed === null) return;
    if (this.#expected !== null) throw new ValidationError('There are lines behind the last one.');
    if (parsed.kind === 'message') await this.#addMessage(line, parsed.message);
    else this.#addDefinition(parsed);
  }

  /** After the last line. @throws ValidationError when lines are missing */
  async end(): Promise<ImportResult> {
    if (this.#header === null) throw new ValidationError('The export is empty.');
    await this.#flush();
    await this.#define();
    if (this.#expected !== this.#read) {
      throw new ValidationError(
        'The export is not whole: it was cut off, or lines were taken out. What is in it was imported.',
      );
    }
    const { queues, exchanges, bindings } = this.#definitions!;
    return {
      queues: queues.length,
      exchanges: exchanges.length,
      bindings: bindings.length,
      schedules: this.#schedules.length,
      ...this.#count,
      refused: Object.fromEntries(this.#refused),
    };
  }

  #addDefinition(line: Exclude<ArchiveLine, { kind: 'message' }>): void {
    const { queues, exchanges, bindings } = this.#definitions!;
    if (line.kind === 'queue') {
      if (this.#isWanted(line.queue.name)) queues.push(line.queue);
    } else if (line.kind === 'exchange') exchanges.push(line.exchange);
    else if (line.kind === 'binding') {
      const { type, name } = line.binding.destination;
      if (type === 'exchange' || this.#isWanted(name)) bindings.push(line.binding);
    } else if (line.kind === 'schedule') {
      const { target } = line.value.definition;
      if (target.type === 'exchange' || this.#isWanted(target.queue)) this.#schedules.push(line);
    } else if (line.kind === 'end') this.#expected = line.messages;
  }

  #isWanted(queue: string): boolean {
    return this.#options.queues?.includes(queue) ?? true;
  }

  async #addMessage(line: number, message: ArchivedMessage): Promise<void> {
    this.#read++;
    if (!this.#isWanted(message.queueName)) return;
    const isFull = this.#batch.length >= BATCH_MAX || this.#batchBytes >= BATCH_BYTES;
    if (isFull || (this.#batch[0]?.message.queueName ?? message.queueName) !== message.queueName) {
      await this.#flush();
    }
    this.#batch.push({ line, message });
    this.#batchBytes += message.bytes;
  }

  async #define(): Promise<void> {
    if (this.#isDefined) return;
    await writeDefinitions(this.#side, this.#definitions!, this.#options);
    const now = await this.#side.driver.now();
    for (const { name, value } of this.#schedules)
      await restoreSchedule(this.#side, name, value, now);
    this.#isDefined = true;
  }

  async #flush(): Promise<void> {
    await this.#define();
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const name = batch[0]?.message.queueName;
    if (name === undefined) return;
    const reason = isVolatile(this.#side, name) ? 'volatile' : this.#refused.get(name)?.reason;
    // Behind one that was refused none may go: the fence would hold it for imported.
    if (reason !== undefined) this.#refuse(name, batch.length, reason);
    else await this.#store(name, batch);
  }

  async #store(name: string, batch: readonly Numbered[]): Promise<void> {
    const { driver, topology } = this.#side;
    const queue = topology.ref(name);
    const { maxRetries } = topology.queue(name).settings;
    const now = await driver.now();
    const key = `import/${this.#options.again ?? this.#header!.id}`;
    const stored = batch.map(({ message }) => asStored(message));
    const items = stored.map((message, at) => ({
      ...carry(message, { sourceNow: now, targetNow: now, maxRetries }),
      fence: { key, value: batch[at]!.line },
    }));
    const outcome = await publishFenced(driver, queue, items);
    const special = stored
      .slice(0, outcome.accepted)
      .filter((message) => needsReinstating(message, now));
    await reinstate(driver, queue, special, now, LEASE_MS);
    this.#count.messages += outcome.accepted - outcome.duplicates;
    this.#count.duplicates += outcome.duplicates;
    this.#count.evicted += outcome.evicted.length;
    if (outcome.refusal !== null) {
      this.#refuse(name, batch.length - outcome.accepted, outcome.refusal);
    }
  }

  #refuse(queue: string, messages: number, reason: Refused['reason']): void {
    const before = this.#refused.get(queue)?.messages ?? 0;
    this.#refused.set(queue, { messages: before + messages, reason });
  }
}

/** What an export leaves out means nothing to where it goes. */
function asStored(message: ArchivedMessage): StoredMessage {
  return { ...message, publishId: message.id, sequence: 0, state: 'ready', lease: null };
}
