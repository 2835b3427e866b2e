import type { Driver, TopologyEntry } from '../driver.ts';
import { ScheduleNotFoundError } from '../errors.ts';
import { checkInteger, checkName } from '../limits.ts';
import type { Message } from '../message.ts';
import type { MessageSender } from '../message-sender.ts';
import type { Topology } from '../topology.ts';
import {
  type CatchUp,
  type NamedScheduleConfig,
  type ScheduleConfig,
  defineSchedule,
} from './definition.ts';
import {
  type ScheduleDocument,
  changed,
  created,
  paused,
  resumed,
  ticksAfter,
} from './document.ts';
import { messageAt, messageOf } from './template.ts';

/** A schedule as it stands. What it does not have is null. */
export interface Schedule {
  readonly name: string;
  readonly cron: string | null;
  /** Of `cron`. */
  readonly timezone: string | null;
  /** Milliseconds. */
  readonly every: number | null;
  readonly queue: string | null;
  readonly exchange: string | null;
  readonly routingKey: string | null;
  readonly message: Message;
  readonly catchUp: CatchUp;
  readonly startAt: Date | null;
  readonly endAt: Date | null;
  readonly limit: number | null;
  readonly paused: boolean;
  readonly createdAt: Date;
  /** The last one whose message was sent. */
  readonly lastTick: Date | null;
  /** Messages sent in all. */
  readonly sent: number;
}

export interface ScheduleManagerParts {
  readonly driver: Driver;
  readonly topology: Topology;
  readonly sender: MessageSender;
  /** Names this process in what it claims. */
  readonly instance: string;
}

const KIND = 'schedule';
const TICKS_MAX = 1_000;

/** Creates, changes, pauses and removes schedules. */
export class ScheduleManager {
  readonly #parts: ScheduleManagerParts;

  constructor(parts: ScheduleManagerParts) {
    this.#parts = parts;
  }

  /** Creates what the configuration names. */
  async initialize(configs: readonly NamedScheduleConfig[]): Promise<void> {
    for (const { name, ...config } of configs) await this.upsertSchedule(name, config);
  }

  /**
   * Creates a schedule, or makes one of this name as it is given. Giving what is there changes
   * nothing, so every process may do so when it starts. What was due before a change is sent as it
   * was, to where it was; a paused schedule stays paused.
   * @throws ValidationError, SerializationError
   * @throws QueueNotFoundError, ExchangeNotFoundError when the target is not there
   */
  async upsertSchedule<Input = unknown>(
    name: string,
    config: ScheduleConfig<Input>,
  ): Promise<Schedule> {
    checkName(name, 'The schedule name');
    const { driver, topology, sender, instance } = this.#parts;
    const definition = defineSchedule(config);
    const now = await driver.now();
    await sender.checkMessage(definition.target, messageOf(definition.message));
    await sender.checkMessage(definition.target, messageAt(definition.message, name, now));
    const entry = await topology.put(KIND, name, (present) =>
      present === undefined
        ? created(definition, now)
        : changed(present.value as ScheduleDocument, definition, instance, now),
    );
    return scheduleOf(entry);
  }

  /** @throws ScheduleNotFoundError */
  getSchedule(name: string): Schedule {
    return scheduleOf(this.#find(name));
  }

  /** By name. */
  listSchedules(): Schedule[] {
    const schedules = this.#parts.topology.list(KIND).map(scheduleOf);
    return schedules.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The next moments for which a message will be sent: none while the schedule is paused.
   * @param count most moments, 1 to 1,000
   * @throws ScheduleNotFoundError
   */
  async nextTicks(name: string, count = 1): Promise<Date[]> {
    checkInteger(count, 'count', 1, TICKS_MAX);
    const now = await this.#parts.driver.now();
    const document = this.#find(name).value as ScheduleDocument;
    return ticksAfter(document, now, count).map((tick) => new Date(tick));
  }

  /** No message is sent for what is due until `resumeSchedule`. @throws ScheduleNotFoundError */
  async pauseSchedule(name: string): Promise<Schedule> {
    const { driver, instance } = this.#parts;
    const now = await driver.now();
    return this.#change(name, (document) => paused(document, instance, now));
  }

  /** From the next tick on; what passed is not made up. @throws ScheduleNotFoundError */
  async resumeSchedule(name: string): Promise<Schedule> {
    const now = await this.#parts.driver.now();
    return this.#change(name, (document) => resumed(document, now));
  }

  /** What it has sent stays sent. @throws ScheduleNotFoundError */
  async removeSchedule(name: string): Promise<void> {
    if (!(await this.#parts.topology.remove(KIND, name))) throw new ScheduleNotFoundError(name);
  }

  async #change(
    name: string,
    change: (document: ScheduleDocument) => ScheduleDocument | null,
  ): Promise<Schedule> {
    const entry = await this.#parts.topology.put(KIND, name, (present) => {
      if (present === undefined) throw new ScheduleNotFoundError(name);
      return change(present.value as ScheduleDocument);
    });
    return scheduleOf(entry);
  }

  #find(name: string): TopologyEntry {
    const entry = this.#parts.topology.find(KIND, name);
    if (entry === undefined) throw new ScheduleNotFoundError(name);
    return entry;
  }
}

function scheduleOf({ name, value }: TopologyEntry): Schedule {
  const document = value as ScheduleDocument;
  const { definition, paused: isPaused, createdAt, lastTick, sent } = document;
  const { timing, target, message, catchUp, startAt, endAt, limit } = definition;
  const isCron = timing.type === 'cron';
  const isQueue = target.type === 'queue';
  return {
    name,
    cron: isCron ? timing.cron : null,
    timezone: isCron ? timing.timezone : null,
    every: isCron ? null : timing.every,
    queue: isQueue ? target.queue : null,
    exchange: isQueue ? null : target.exchange,
    routingKey: isQueue ? null : target.routingKey,
    message: messageOf(message),
    catchUp,
    startAt: dateOf(startAt),
    endAt: dateOf(endAt),
    limit,
    paused: isPaused,
    createdAt: new Date(createdAt),
    lastTick: dateOf(lastTick),
    sent,
  };
}

function dateOf(moment: number | null): Date | null {
  return moment === null ? null : new Date(moment);
}
