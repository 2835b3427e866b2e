import {
  type AuditedMessage,
  type Audited,
  type DeathEntry,
  type Delivered,
  type HistoryEvent,
  type Opened,
  type SettleInvoked,
  type Stamp,
  SUPERVISOR,
} from '../history.ts';
import type { Findings } from './findings.ts';
import { groupBy } from './group-by.ts';
import {
  type Copy,
  type Delivery,
  isPlace,
  type Life,
  type Model,
  type QueueAction,
  type QueueRules,
  type Send,
  type Settle,
} from './model.ts';

/** Of clocks that are read in whole milliseconds. */
const ROUNDING_MS = 3;

/**
 * Puts a history in order: which events belong to one operation, one message, one lease. What
 * belongs to nothing that was sent is a finding.
 */
export function buildModel(
  events: readonly HistoryEvent[],
  rules: readonly QueueRules[],
  findings: Findings,
): Model {
  const builder = new ModelBuilder(rules, findings);
  for (const life of livesOf(events)) builder.lives.set(life.number, life);
  for (const event of events) builder.add(event);
  return builder.finish(events);
}

/**
 * Each process sets its clock by the wall's at its start and reads it in whole milliseconds. If it
 * was held up between two looks, it goes a little behind the others.
 */
function slackOf(lives: readonly Life[]): number {
  const offsets = lives.filter(({ openedAt }) => openedAt !== null).map((one) => one.clockOffset);
  const spread = offsets.length === 0 ? 0 : Math.max(...offsets) - Math.min(...offsets);
  return ROUNDING_MS + spread;
}

function livesOf(events: readonly HistoryEvent[]): Life[] {
  const ofWorkers = events.filter(({ process }) => process !== SUPERVISOR);
  return [...groupBy(ofWorkers, (event) => event.process)].map(([number, own]) => {
    const death = own.find((event) => event.op === 'death');
    const opened = own.find((event) => event.op === 'open' && event.phase === 'ok');
    const closing = own.find((event) => event.op === 'close' && event.phase === 'invoke');
    return {
      number,
      startedAt: own[0]!.t,
      openedAt: opened?.t ?? null,
      closingAt: closing?.t ?? null,
      endedAt: own.at(-1)!.t,
      signal: death?.op === 'death' ? death.signal : null,
      clockOffset: isOpened(opened) ? opened.clockOffset : 0,
      endsLeases: !isOpened(opened) || !opened.shared,
    };
  });
}

function isOpened(event: HistoryEvent | undefined): event is Opened & Stamp {
  return event?.op === 'open' && event.phase === 'ok';
}

/**
 * A process that dies may have taken something and not have said so, and a connection that breaks
 * may have carried an answer, both when a fault begins and when it ends.
 */
function hiddenLeases(
  events: readonly HistoryEvent[],
  lives: readonly Life[],
): Model['hiddenBetween'] {
  const faults = events.filter((event) => event.op === 'fault');
  return (from, to) => {
    const deaths = lives.filter(({ endedAt }) => from <= endedAt && endedAt < to).length;
    return deaths + 2 * faults.filter(({ since, t }) => since < to && from < t).length;
  };
}

class ModelBuilder {
  readonly lives: Map<number, Life> = new Map();
  readonly #rules: ReadonlyMap<string, QueueRules>;
  readonly #findings: Findings;
  readonly #operations = new Map<string, Send | Settle | QueueAction>();
  readonly #sends: Send[] = [];
  readonly #settles: Settle[] = [];
  readonly #actions: QueueAction[] = [];
  readonly #copies = new Map<string, Copy>();
  readonly #byId = new Map<string, Copy>();
  readonly #deliveries: Delivery[] = [];
  readonly #byLease = new Map<string, Delivery>();
  readonly #audits: (Audited & Stamp)[] = [];

  constructor(rules: readonly QueueRules[], findings: Findings) {
    this.#rules = new Map(rules.map((rule) => [rule.name, rule]));
    this.#findings = findings;
  }

  add(event: HistoryEvent): void {
    switch (event.op) {
      case 'open':
      case 'close':
      case 'death':
      case 'fault':
        return;
      case 'deliver':
        this.#addDelivery(event);
        return;
      case 'audit':
        this.#addAudit(event);
        return;
      default:
        if (event.phase === 'invoke') this.#begin(event);
        else this.#end(event);
    }
  }

  finish(events: readonly HistoryEvent[]): Model {
    for (const copy of this.#copies.values()) {
      copy.deliveries.sort((a, b) => a.token - b.token || a.t - b.t);
    }
    for (const settle of this.#settles) this.#applyExtension(settle);
    return {
      events,
      rules: this.#rules,
      lives: this.lives,
      slack: slackOf([...this.lives.values()]),
      hiddenBetween: hiddenLeases(events, [...this.lives.values()]),
      sends: this.#sends,
      copies: [...this.#copies.values()],
      deliveries: this.#deliveries,
      settles: this.#settles,
      actions: this.#actions,
      audits: this.#audits,
      copyOf: (id) => this.#byId.get(id),
    };
  }

  #begin(event: Extract<HistoryEvent, { phase: 'invoke'; call: number }>): void {
    const life = this.lives.get(event.process)!;
    const operation = {
      process: event.process,
      invokedAt: event.t,
      outcome: 'info' as const,
      endedAt: life.endedAt,
    };
    const name = `${event.process}:${event.call}`;
    if (event.op === 'send') {
      const send: Send = { ...operation, spec: event, ids: [], duplicate: false };
      this.#sends.push(send);
      this.#operations.set(name, send);
      for (const home of event.queues) this.#copy(event.key, home).sends.push(send);
    } else if ('queue' in event) {
      const action: QueueAction = { ...operation, op: event.op, queue: event.queue, count: 0 };
      this.#actions.push(action);
      this.#operations.set(name, action);
    } else this.#operations.set(name, this.#beginSettle(event, operation));
  }

  #beginSettle(
    { op, id, token, delay }: SettleInvoked,
    operation: Pick<Settle, 'process' | 'invokedAt' | 'outcome' | 'endedAt'>,
  ): Settle {
    const settle: Settle = { ...operation, op, id, token, delay, error: '' };
    this.#settles.push(settle);
    this.#byLease.get(leaseName(id, token))?.settles.push(settle);
    return settle;
  }

  #end(event: Extract<HistoryEvent, { phase: 'ok' | 'fail' | 'info'; call: number }>): void {
    const operation = this.#operations.get(`${event.process}:${event.call}`);
    // Its invoke would have been here: the history is broken.
    if (operation === undefined) throw new Error(`Nothing began ${JSON.stringify(event)}`);
    operation.outcome = event.phase;
    operation.endedAt = event.t;
    if (event.phase !== 'ok') {
      if ('error' in operation) operation.error = event.error;
    } else if (event.op === 'send') this.#confirm(operation as Send, event);
    else if ('count' in operation) operation.count = event.count ?? 0;
  }

  #confirm(
    send: Send,
    { ids, duplicate, t }: { ids: readonly string[]; duplicate: boolean; t: number },
  ): void {
    send.ids = ids;
    send.duplicate = duplicate;
    send.spec.queues.forEach((home, i) => {
      const copy = this.#copy(send.spec.key, home);
      this.#know(copy, ids[i]!, t, 'was confirmed');
    });
  }

  #addDelivery(event: Delivered & Stamp): void {
    const { id, key, queue, deaths, t, token, until, leaseDuration, process } = event;
    const copy = this.#find(id, key, queue, deaths, t, 'was delivered');
    if (copy === undefined) return;
    const leaseEnd = until - this.lives.get(process)!.clockOffset;
    const delivery: Delivery = {
      ...event,
      copy,
      leasedAt: leaseEnd - leaseDuration,
      leaseEndMin: leaseEnd,
      // A holder that lives in the process has its leases extended, which no event tells.
      leaseEndMax: event.bound ? Infinity : leaseEnd,
      deathCount: deathCountOf(deaths),
      settles: [],
    };
    copy.deliveries.push(delivery);
    this.#deliveries.push(delivery);
    // If a lease was handed out twice, what is done with it is the later one's doing.
    this.#byLease.set(leaseName(id, token), delivery);
  }

  #addAudit(event: Audited & Stamp): void {
    this.#audits.push(event);
    for (const [queue, { messages }] of Object.entries(event.queues)) {
      for (const { id, key, deaths } of messages) {
        this.#find(id, key, queue, deaths, event.t, 'was stored');
      }
    }
  }

  /** The copy that was seen, or undefined when no such copy was sent. */
  #find(
    id: string,
    key: string,
    queue: string,
    deaths: readonly DeathEntry[],
    t: number,
    what: string,
  ): Copy | undefined {
    const known = this.#byId.get(id);
    if (known !== undefined && known.key !== key) {
      this.#findings.add(
        'altered',
        known.key,
        t,
        `${id} ${what} in ${queue} with the key '${key}'`,
      );
      return undefined;
    }
    const homes = [queue, ...deaths.map(([name]) => name)];
    const copy =
      known ??
      homes.map((home) => this.#copies.get(copyName(key, home))).find((one) => one !== undefined);
    if (copy === undefined || !isPlace(this.#rules, copy, queue)) {
      this.#findings.add('phantom', key, t, `${id} ${what} in ${queue}, where it was never sent`);
      return undefined;
    }
    if (copy.sends.every(({ outcome, endedAt }) => outcome === 'fail' && endedAt < t)) {
      this.#findings.add('phantom', key, t, `${id} ${what} in ${queue}, but its send was refused`);
    }
    return this.#know(copy, id, t, `${what} in ${queue}`) ? copy : undefined;
  }

  /** @returns false when it is another one: the copy is stored twice */
  #know(copy: Copy, id: string, t: number, what: string): boolean {
    copy.seenAt = Math.min(copy.seenAt, t);
    if (copy.id === null) {
      copy.id = id;
      this.#byId.set(id, copy);
    }
    if (copy.id === id) return true;
    const detail = `${id} ${what}, but in ${copy.home} it is ${copy.id}`;
    this.#findings.add('doubled', copy.key, t, detail);
    return false;
  }

  #copy(key: string, home: string): Copy {
    const name = copyName(key, home);
    let copy = this.#copies.get(name);
    if (copy === undefined) {
      copy = { key, home, sends: [], id: null, deliveries: [], seenAt: Infinity };
      this.#copies.set(name, copy);
    }
    return copy;
  }

  #applyExtension({ op, id, token, delay, outcome, invokedAt, endedAt }: Settle): void {
    const delivery = this.#byLease.get(leaseName(id, token));
    if (op !== 'extend' || outcome === 'fail' || delivery === undefined) return;
    const [min, max] = [invokedAt + delay!, endedAt + delay!];
    const isSure = outcome === 'ok';
    delivery.leaseEndMin = isSure ? min : Math.min(delivery.leaseEndMin, min);
    delivery.leaseEndMax = isSure && !delivery.bound ? max : Math.max(delivery.leaseEndMax, max);
  }
}

/** @returns how many deaths a message has on its record */
export function deathCountOf(deaths: AuditedMessage['deaths']): number {
  return deaths.reduce((sum, [, , count]) => sum + count, 0);
}

function copyName(key: string, home: string): string {
  return `${home} ${key}`;
}

function leaseName(id: string, token: number): string {
  return `${id}:${token}`;
}
