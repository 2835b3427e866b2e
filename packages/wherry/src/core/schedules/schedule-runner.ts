import type { TopologyEntry } from '../driver.ts';
import { MessageQueueError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { MessageSender } from '../message-sender.ts';
import type { Topology } from '../topology.ts';
import {
  CATCH_UP_MAX,
  MISSED_AFTER_MS,
  type PendingTick,
  type ScheduleDocument,
  claimed,
  dueTicks,
  finished,
  nextTick,
  ticksOf,
} from './document.ts';
import { messageAt } from './template.ts';
import type { Ticks } from './ticks.ts';

/** A process that did not send the last tick leaves the next to the one that did, for so long. */
const HOLD_BACK_MS = 250;
/** What another process claimed and did not send within this time is sent by whoever sees it. */
const HELP_AFTER_MS = 2_000;
/** Within this time the change should be told that was faster than ours. */
const NEWS_WITHIN_MS = 1_000;
/** After a tick that could not be sent; doubled up to the ceiling. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 30_000;

export interface RunnerParts {
  readonly topology: Topology;
  readonly sender: MessageSender;
  readonly events: Events;
  /** Names this process in claims. */
  readonly instance: string;
  /** Other processes may send the same ticks. */
  readonly shared: boolean;
}

/** Something to do now, or when to look again (null: when the schedule was changed). */
type Step = { readonly act: () => Promise<void> } | { readonly lookAt: number | null };

/**
 * Sends the ticks of one schedule, in competition with the runners of all other processes.
 *
 * A due tick is claimed in the schedule's document by compare-and-set, then sent, then struck off.
 * The claim decides which tick comes next and as what; the fence of the message sees to it that it
 * is stored once, however many send it because the one who claimed it may have died.
 */
export class ScheduleRunner {
  readonly #name: string;
  readonly #parts: RunnerParts;
  #lookAt: number | null = -Infinity;
  #running: Promise<void> | null = null;
  #ticks: { readonly key: string; readonly ticks: Ticks } | null = null;
  #failures = 0;
  /** After a tick that could not be sent: not before `at`, unless the schedule is changed. */
  #retry: { readonly version: number; readonly at: number } | null = null;
  /** The version that somebody else was faster to change, and when to ask what it is now. */
  #overtaken: { readonly version: number; readonly askAt: number } | null = null;
  #isStopped = false;

  constructor(name: string, parts: RunnerParts) {
    this.#name = name;
    this.#parts = parts;
  }

  /** When to look again, by the store's clock; null: not before the schedule was changed. */
  get lookAt(): number | null {
    return this.#lookAt;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** The schedule was changed, maybe by this runner. */
  changed(): void {
    this.#lookAt = -Infinity;
  }

  /** Nothing is begun any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when what was begun is done. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Sends what is due. @param now by the store's clock */
  run(now: number): Promise<void> {
    this.#running ??= this.#run(now).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(now: number): Promise<void> {
    try {
      for (;;) {
        const step = this.#nextStep(now);
        if ('lookAt' in step) {
          this.#lookAt = step.lookAt;
          return;
        }
        await step.act();
      }
    } catch (error) {
      this.#report(null, error, false);
      this.#lookAt = now + this.#backOff();
    }
  }

  #nextStep(now: number): Step {
    const { topology, instance, shared } = this.#parts;
    const entry = topology.find('schedule', this.#name);
    if (entry === undefined || this.#isStopped) return { lookAt: null };
    if (this.#overtaken?.version === entry.version) {
      const { askAt } = this.#overtaken;
      return now < askAt ? { lookAt: askAt } : { act: () => this.#refresh() };
    }
    const document = entry.value as ScheduleDocument;
    const { pending, claim } = document;
    const isOthers = shared && claim !== null && claim.by !== instance;
    if (pending.length > 0) {
      const retryAt = this.#retry?.version === entry.version ? this.#retry.at : -Infinity;
      const sendAt = Math.max(retryAt, isOthers ? claim.at + HELP_AFTER_MS : -Infinity);
      return now < sendAt ? { lookAt: sendAt } : { act: () => this.#send(entry, document, now) };
    }
    const next = nextTick(document, this.#ticksOf(document));
    if (next === null) return { lookAt: null };
    const claimAt = next + (isOthers ? HOLD_BACK_MS : 0);
    return now < claimAt ? { lookAt: claimAt } : { act: () => this.#claim(entry, document, now) };
  }

  async #refresh(): Promise<void> {
    await this.#parts.topology.refresh();
    this.#overtaken = null;
  }

  async #claim(entry: TopologyEntry, document: ScheduleDocument, now: number): Promise<void> {
    const { instance } = this.#parts;
    const { ticks, skippedFrom } = dueTicks(document, now, this.#ticksOf(document));
    const [first] = ticks;
    const next =
      first === undefined ? { ...document, after: now } : claimed(document, ticks, instance, now);
    if (!(await this.#replace(entry, next, now)) || skippedFrom === null) return;
    const from = new Date(first!).toISOString();
    const message =
      `Schedule '${this.#name}' missed more than ${CATCH_UP_MAX} ticks; ` +
      `those before ${from} are not made up.`;
    this.#report(skippedFrom, new MessageQueueError('TICKS_MISSED', message), true);
  }

  /** In order, up to the first that fails: after a later one the fence would let it through no more. */
  async #send(entry: TopologyEntry, document: ScheduleDocument, now: number): Promise<void> {
    let sent = 0;
    let givenUp = 0;
    try {
      for (const pending of document.pending) {
        if (this.#isStopped) break;
        await this.#publish(entry, document, pending);
        sent++;
      }
      this.#failures = 0;
    } catch (error) {
      givenUp = this.#isHopeless(document, sent, now) ? 1 : 0;
      this.#report(document.pending[sent]!.tick, error, givenUp === 1);
      const at = givenUp === 1 ? -Infinity : now + this.#backOff();
      // The version that it will have.
      this.#retry = { version: entry.version + (sent + givenUp > 0 ? 1 : 0), at };
    }
    const done = sent + givenUp;
    if (done > 0) await this.#replace(entry, finished(document, done, sent), now);
  }

  /** Whether a pending tick that could not be sent is not tried again. */
  #isHopeless(document: ScheduleDocument, index: number, now: number): boolean {
    const { definition, pending } = document;
    const { tick, definition: former } = pending[index]!;
    if (now - tick <= MISSED_AFTER_MS) return false;
    // The ticks of a schedule that was changed must not wait for one that goes elsewhere.
    if (former !== undefined || definition.catchUp === 'none') return true;
    if (definition.catchUp === 'all') return false;
    const next = nextTick(document, this.#ticksOf(document));
    return index < pending.length - 1 || (next !== null && next <= now);
  }

  async #publish(
    entry: TopologyEntry,
    document: ScheduleDocument,
    { tick, definition = document.definition }: PendingTick,
  ): Promise<void> {
    const message = messageAt(definition.message, this.#name, tick);
    const fence = { key: `schedule:${entry.number}`, value: tick };
    await this.#parts.sender.publishFenced(definition.target, message, fence);
  }

  /** @returns whether the document is ours: nobody else was faster to change it */
  async #replace(entry: TopologyEntry, value: ScheduleDocument, now: number): Promise<boolean> {
    const stored = await this.#parts.topology.replace(entry, value);
    this.#overtaken =
      stored === null ? { version: entry.version, askAt: now + NEWS_WITHIN_MS } : null;
    return stored !== null;
  }

  #ticksOf(document: ScheduleDocument): Ticks {
    const { timing, startAt, endAt } = document.definition;
    const key = JSON.stringify([timing, startAt, endAt, document.createdAt]);
    if (this.#ticks?.key !== key) this.#ticks = { key, ticks: ticksOf(document) };
    return this.#ticks.ticks;
  }

  #backOff(): number {
    return Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.#failures++);
  }

  #report(tick: number | null, error: unknown, givenUp: boolean): void {
    this.#parts.events.emit('scheduleError', { schedule: this.#name, tick, error, givenUp });
  }
}
