import type { HistoryEvent } from '../history.ts';
import { type Model, type Settle, specOf } from './model.ts';

/** How much of everything a history holds: a rule that had nothing to check has found nothing. */
export interface Coverage {
  /** Processes that were killed. */
  readonly kills: number;
  /** Of these: while operations were outstanding. */
  readonly killsAtWork: number;
  /** Of these: before the store was open. */
  readonly killsAtOpening: number;
  readonly closings: number;
  /** Things done to servers, networks and processes, kills apart. */
  readonly faults: number;
  readonly confirmedSends: number;
  readonly sendsInDoubt: number;
  readonly duplicatesRefused: number;
  readonly fanOuts: number;
  readonly atomicBatches: number;
  readonly delayed: number;
  readonly withTtl: number;
  readonly deliveries: number;
  readonly redeliveries: number;
  readonly acknowledged: number;
  readonly acknowledgedInDoubt: number;
  readonly staleSettlesRefused: number;
  readonly deadLetters: number;
  readonly redrives: number;
  readonly purged: number;
  readonly stableAudits: number;
  /** First leases whose order was compared. */
  readonly ordered: number;
  /** Leases within groups that were compared. */
  readonly grouped: number;
}

export function coverageOf(
  model: Model,
  compared: { readonly ordered: number; readonly grouped: number },
): Coverage {
  const { sends, deliveries, settles, actions, audits, copies } = model;
  const lives = [...model.lives.values()];
  const killed = lives.filter(({ signal }) => signal === 'SIGKILL');
  const atWork = processesAtWork(model.events);
  const acknowledged = settles.filter(({ op }) => op === 'ack');
  const deadLetters = new Set(
    deliveries.filter(({ deathCount }) => deathCount > 0).map((one) => one.copy),
  );
  const purges = actions.filter(({ op }) => op === 'purge');
  return {
    kills: killed.length,
    killsAtWork: killed.filter(({ number }) => atWork.has(number)).length,
    killsAtOpening: killed.filter(({ openedAt }) => openedAt === null).length,
    faults: model.events.filter(({ op }) => op === 'fault').length,
    closings: lives.filter(({ signal }) => signal === null).length,
    confirmedSends: sends.filter(({ outcome }) => outcome === 'ok').length,
    sendsInDoubt: sends.filter(({ outcome }) => outcome === 'info').length,
    duplicatesRefused: copies.filter((copy) => copy.sends.filter(isConfirmed).length > 1).length,
    fanOuts: sends.filter(({ spec }) => spec.queues.length > 1).length,
    atomicBatches:
      new Set(
        sends.map(({ process, spec }) => spec.atomicBatch && `${process} ${spec.atomicBatch}`),
      ).size - 1,
    delayed: copies.filter((copy) => specOf(copy).delay > 0).length,
    withTtl: copies.filter((copy) => specOf(copy).ttl !== null).length,
    deliveries: deliveries.length,
    redeliveries: deliveries.filter(({ deliveryCount }) => deliveryCount > 1).length,
    acknowledged: acknowledged.filter(isConfirmed).length,
    acknowledgedInDoubt: acknowledged.filter(({ outcome }) => outcome === 'info').length,
    staleSettlesRefused: settles.filter(isRefused).length,
    deadLetters: deadLetters.size,
    redrives: actions.filter(
      ({ op, outcome, count }) => op === 'redrive' && outcome === 'ok' && count > 0,
    ).length,
    purged: purges.reduce((sum, { count }) => sum + count, 0),
    stableAudits: audits.filter(({ stable }) => stable).length,
    ...compared,
  };
}

function isConfirmed({ outcome }: { readonly outcome: string }): boolean {
  return outcome === 'ok';
}

function isRefused({ outcome, error }: Settle): boolean {
  return outcome === 'fail' && (error === 'LEASE_LOST' || error === 'MESSAGE_NOT_FOUND');
}

/** Processes that left operations without an end. */
function processesAtWork(events: readonly HistoryEvent[]): Set<number> {
  const open = new Set<string>();
  for (const event of events) {
    if (!('call' in event) || event.op === 'stop') continue;
    const name = `${event.process}:${event.call}`;
    if (event.phase === 'invoke') open.add(name);
    else open.delete(name);
  }
  return new Set([...open].map((name) => Number(name.split(':')[0])));
}

/** @returns what there was too little of, by name; none: the run shows something */
export function shortfalls(
  coverage: Coverage,
  floors: Partial<Record<keyof Coverage, number>>,
): string[] {
  const names = Object.keys(floors) as (keyof Coverage)[];
  return names
    .filter((name) => coverage[name] < floors[name]!)
    .map((name) => `${name} is ${coverage[name]}, at least ${floors[name]} are needed`);
}
