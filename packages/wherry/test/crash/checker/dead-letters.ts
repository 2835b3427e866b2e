import type { DeathEntry } from '../history.ts';
import { deathCountOf } from './build-model.ts';
import type { Findings } from './findings.ts';
import { staysOf } from './leases.ts';
import {
  begunAt,
  isPlace,
  RESCUE_QUEUE,
  type Copy,
  type Delivery,
  type Model,
  specOf,
  ttlOf,
} from './model.ts';
import { settlementOf } from './retries.ts';

/** Somebody saw a message with this record of deaths. */
interface Sighting {
  readonly t: number;
  readonly queue: string;
  readonly deaths: readonly DeathEntry[];
  readonly parked: boolean;
}

/** A message dies for a reason, and comes back because somebody sent it: see `RULES`. */
export function checkDeadLetters(model: Model, findings: Findings): void {
  const sightings = sightingsOf(model);
  const redrives = model.actions.filter(
    ({ op, outcome }) => op === 'redrive' && outcome !== 'fail',
  );
  for (const [copy, seen] of sightings) {
    let deathCount = 0;
    let cameBackAt = -Infinity;
    for (const sighting of seen) {
      // Another rule's business.
      if (!isPlace(model.rules, copy, sighting.queue)) continue;
      const count = deathCountOf(sighting.deaths);
      const atHome = sighting.queue === copy.home;
      if (count < deathCount || (!atHome && count === 0 && sighting.queue !== RESCUE_QUEUE)) {
        const detail = `in ${sighting.queue} it has ${count} deaths on record, before ${deathCount}`;
        findings.add('dead-letter', copy.key, sighting.t, detail);
      }
      if (count > deathCount) checkDeath(model, copy, sighting, deathCount, findings);
      if (atHome && count > 0) {
        const since = cameBackAt;
        const sentBack = redrives.find(({ endedAt }) => endedAt >= since);
        if (sentBack === undefined || sentBack.invokedAt > sighting.t) {
          const detail = `it came back to ${copy.home}, but nobody redrove it`;
          findings.add('dead-letter', copy.key, sighting.t, detail);
        }
      }
      if (!atHome) cameBackAt = sighting.t;
      deathCount = Math.max(deathCount, count);
    }
  }
}

function sightingsOf(model: Model): Map<Copy, Sighting[]> {
  const sightings = new Map<Copy, Sighting[]>();
  const add = (copy: Copy | undefined, sighting: Sighting): void => {
    if (copy === undefined || (sighting.deaths.length === 0 && sighting.queue === copy.home))
      return;
    const seen = sightings.get(copy);
    if (seen === undefined) sightings.set(copy, [sighting]);
    else seen.push(sighting);
  };
  for (const delivery of model.deliveries) add(delivery.copy, { ...delivery, parked: false });
  for (const { t, queues } of model.audits) {
    for (const [queue, { messages }] of Object.entries(queues)) {
      for (const { id, deaths, parked } of messages) {
        add(model.copyOf(id), { t, queue, deaths, parked });
      }
    }
  }
  for (const seen of sightings.values()) seen.sort((a, b) => a.t - b.t);
  return sightings;
}

/** @param before how many deaths were known of; more than one may have come since */
function checkDeath(
  model: Model,
  copy: Copy,
  sighting: Sighting,
  before: number,
  findings: Findings,
): void {
  const [queue, reason] = sighting.deaths.at(-1)!;
  if (deathCountOf(sighting.deaths) > before + 1) return;
  const problem = unfounded(model, copy, sighting, queue, reason, before);
  if (problem === null) return;
  const detail = `it died in ${queue} of '${reason}', but ${problem}`;
  findings.add('dead-letter', copy.key, sighting.t, detail);
}

/** @returns what speaks against the reason, or null */
function unfounded(
  model: Model,
  copy: Copy,
  sighting: Sighting,
  queue: string,
  reason: string,
  before: number,
): string | null {
  const rules = model.rules.get(queue)!;
  if (queue !== copy.home) return `its home is ${copy.home}`;
  const stay =
    staysOf(copy).find(([first]) => first?.queue === queue && first.deathCount === before) ?? [];
  switch (reason) {
    case 'rejected':
      return stay.some((one) => settlementOf(one)?.op === 'dead-letter') ? null : 'nobody said so';
    case 'max-retries':
    case 'lease-expired':
      return enoughDeliveries(model, copy, sighting, stay);
    case 'expired': {
      const ttl = ttlOf(copy, rules);
      if (ttl === null) return 'it has no TTL';
      if (!rules.keepsExpired) return 'the queue drops what expires';
      return sighting.t >= begunAt(copy) + ttl - model.slack ? null : 'its TTL had not passed';
    }
    case 'overflow':
      return rules.dropsOldest ? null : 'the queue drops nothing';
    default:
      return 'nothing here can cause that';
  }
}

function enoughDeliveries(
  model: Model,
  copy: Copy,
  sighting: Sighting,
  stay: readonly Delivery[],
): string | null {
  const most = (specOf(copy).maxRetries ?? model.rules.get(copy.home)!.maxRetries) + 1;
  const counted = stay.filter((one) => settlementOf(one)?.op !== 'requeue').length;
  const hidden = model.hiddenBetween(begunAt(copy), sighting.t);
  if (counted + hidden >= most) return null;
  return `it was delivered ${counted} time(s), and at most ${hidden} time(s) unseen`;
}
