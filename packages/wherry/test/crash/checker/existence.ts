import type { Findings } from './findings.ts';
import { groupBy } from './group-by.ts';
import {
  type Audit,
  begunAt,
  confirmedAt,
  type Copy,
  type Model,
  type Outcome,
  type Send,
  specOf,
  ttlOf,
} from './model.ts';

/** A copy that must be stored from some moment on, until it may be gone. */
interface Obligation {
  readonly copy: Copy;
  readonly from: number;
  /** When it may be gone at the earliest; Infinity: never. */
  readonly until: number;
  readonly rule: 'lost' | 'torn';
}

/** Nothing lost, nothing torn, nothing in two places, nothing that should be gone: see `RULES`. */
export function checkExistence(model: Model, findings: Findings): void {
  const obligations = obligationsOf(model);
  let next = 0;
  const pending = new Set<Obligation>();
  const final = model.audits.at(-1);
  for (const audit of model.audits) {
    while (next < obligations.length && obligations[next]!.from < audit.t) {
      pending.add(obligations[next]!);
      next += 1;
    }
    for (const obligation of pending) {
      if (obligation.until <= audit.t) pending.delete(obligation);
    }
    // At the end everything is at rest.
    if (audit.stable || audit === final) checkAudit(model, audit, pending, findings);
  }
  for (const obligation of final === undefined ? obligations : obligations.slice(next)) {
    if (obligation.until === Infinity) report(obligation, Infinity, findings);
  }
  checkAcknowledged(model, findings);
  checkPurges(model, final, findings);
}

function checkAudit(
  model: Model,
  audit: Audit,
  pending: Set<Obligation>,
  findings: Findings,
): void {
  const places = new Map<Copy, string>();
  for (const [queue, { messages }] of Object.entries(audit.queues)) {
    for (const { id, key } of messages) {
      const copy = model.copyOf(id);
      if (copy === undefined) continue;
      const other = places.get(copy);
      places.set(copy, queue);
      if (other !== undefined) {
        findings.add('two-places', key, audit.t, `${id} was in ${other} and in ${queue}`);
      }
    }
  }
  for (const obligation of pending) {
    if (places.has(obligation.copy)) continue;
    report(obligation, audit.t, findings);
    // Once is enough.
    pending.delete(obligation);
  }
}

function report({ copy, from, rule }: Obligation, t: number, findings: Findings): void {
  const when = t === Infinity ? 'at the end' : `in process ${copy.sends.at(-1)!.process} or later`;
  const detail =
    rule === 'lost'
      ? `confirmed at ${from.toFixed(1)} as ${copy.id} in ${copy.home}; it was not there ${when}`
      : `its sibling was seen at ${from.toFixed(1)}; in ${copy.home} it was not there ${when}`;
  findings.add(rule, copy.key, Math.min(t, Number.MAX_SAFE_INTEGER), detail);
}

function obligationsOf(model: Model): Obligation[] {
  const goneAt = departures(model);
  const siblings = siblingsOf(model);
  const obligations: Obligation[] = [];
  for (const copy of model.copies) {
    const until = goneAt.get(copy) ?? Infinity;
    const confirmed = confirmedAt(copy);
    const implied = siblings.get(copy) ?? Infinity;
    if (confirmed < Infinity) obligations.push({ copy, from: confirmed, until, rule: 'lost' });
    else if (implied < Infinity) obligations.push({ copy, from: implied, until, rule: 'torn' });
  }
  return obligations.toSorted((a, b) => a.from - b.from);
}

/** When one of those was seen that are stored with a copy or not at all. */
function siblingsOf(model: Model): Map<Copy, number> {
  const copies = new Map(model.copies.map((copy) => [`${copy.home} ${copy.key}`, copy]));
  const copiesOf = ({ spec }: Send): Copy[] =>
    spec.queues.map((queue) => copies.get(`${queue} ${spec.key}`)!);
  const together = groupBy(
    model.sends.filter(({ spec }) => spec.queues.length > 1 || spec.atomicBatch !== null),
    ({ process, spec }) =>
      spec.atomicBatch === null ? spec.key : `${process} ${spec.atomicBatch}`,
  );
  const seen = new Map<Copy, number>();
  for (const sends of together.values()) {
    const all = sends.flatMap(copiesOf);
    const first = Math.min(...all.map(({ seenAt }) => seenAt));
    for (const copy of all) seen.set(copy, Math.min(first, seen.get(copy) ?? Infinity));
  }
  return seen;
}

/** When each copy may be gone at the earliest. */
function departures(model: Model): Map<Copy, number> {
  const goneAt = new Map<Copy, number>();
  const mayGo = (copy: Copy | undefined, at: number): void => {
    if (copy !== undefined) goneAt.set(copy, Math.min(at, goneAt.get(copy) ?? Infinity));
  };
  for (const { op, outcome, id, invokedAt } of model.settles) {
    if (op === 'ack' && outcome !== 'fail') mayGo(model.copyOf(id), invokedAt);
  }
  for (const copy of model.copies) {
    const rules = model.rules.get(copy.home)!;
    const ttl = ttlOf(copy, rules);
    if (ttl === null || rules.keepsExpired) continue;
    mayGo(copy, begunAt(copy) + specOf(copy).delay + ttl - model.slack);
  }
  const purges = model.actions.filter(({ op, outcome }) => op === 'purge' && outcome !== 'fail');
  for (const [queue, ofQueue] of groupBy(purges, (purge) => purge.queue)) {
    for (const copy of model.copies) {
      if (copy.home !== queue) continue;
      const purge = ofQueue.find(({ endedAt }) => endedAt > begunAt(copy));
      if (purge !== undefined) mayGo(copy, purge.invokedAt);
    }
  }
  return goneAt;
}

function checkAcknowledged(model: Model, findings: Findings): void {
  const ended = new Map<Copy, number>();
  for (const { op, outcome, id, token, endedAt } of model.settles) {
    const copy = model.copyOf(id);
    if (op !== 'ack' || outcome !== 'ok' || copy === undefined || ended.has(copy)) continue;
    ended.set(copy, endedAt);
    // What another process took before may reach its consumer after.
    const again = copy.deliveries.find((one) => one.token > token);
    if (again === undefined) continue;
    const detail = `${id} was acknowledged at ${endedAt.toFixed(1)}, delivered in ${again.queue}`;
    findings.add('acknowledged-again', copy.key, again.t, detail);
  }
  for (const audit of model.audits) {
    for (const [queue, { messages }] of Object.entries(audit.queues)) {
      for (const { id, key } of messages) {
        const copy = model.copyOf(id);
        if (copy === undefined || !((ended.get(copy) ?? Infinity) < audit.t)) continue;
        findings.add('acknowledged-again', key, audit.t, `${id} was acknowledged, is in ${queue}`);
        ended.delete(copy);
      }
    }
  }
}

/** What is missing from a purged queue must equal what its purges answered. */
function checkPurges(model: Model, final: Audit | undefined, findings: Findings): void {
  const acknowledged = new Map<Copy | undefined, Outcome>();
  for (const { op, outcome, id } of model.settles) {
    const copy = model.copyOf(id);
    if (op !== 'ack' || outcome === 'fail' || acknowledged.get(copy) === 'ok') continue;
    acknowledged.set(copy, outcome);
  }
  const stored = Object.values(final?.queues ?? {}).flatMap(({ messages }) => messages);
  const left = new Set(stored.map(({ id }) => id));
  const purges = model.actions.filter(({ op }) => op === 'purge');
  for (const [queue, ofQueue] of groupBy(purges, (purge) => purge.queue)) {
    if (ofQueue.some(({ outcome }) => outcome !== 'ok')) continue;
    const missing = model.copies.filter(
      (copy) =>
        copy.home === queue &&
        acknowledged.get(copy) !== 'ok' &&
        !left.has(copy.id ?? '') &&
        copy.sends.some(({ outcome }) => outcome !== 'fail'),
    );
    const sure = missing.filter((copy) => copy.seenAt < Infinity && !acknowledged.has(copy)).length;
    const purged = ofQueue.reduce((sum, { count }) => sum + count, 0);
    if (sure <= purged && purged <= missing.length) continue;
    const detail = `${purged} purged, but from ${sure} to ${missing.length} are missing`;
    findings.add('purge-count', queue, ofQueue.at(-1)!.endedAt, detail);
  }
}
