import type { Findings } from './findings.ts';
import { staysOf } from './leases.ts';
import {
  begunAt,
  confirmedAt,
  type Copy,
  type Delivery,
  type Model,
  specOf,
  ttlOf,
} from './model.ts';
import { settlementOf } from './retries.ts';

/** Never before it is due, never after its TTL: see `RULES`. */
export function checkTime(model: Model, findings: Findings): void {
  for (const copy of model.copies) {
    checkFirstDue(model, copy, findings);
    checkExpiry(model, copy, findings);
    for (const stay of staysOf(copy)) {
      for (let i = 1; i < stay.length; i++) checkBackoff(model, stay[i - 1]!, stay[i]!, findings);
    }
  }
}

function checkFirstDue(model: Model, copy: Copy, findings: Findings): void {
  const { delay } = specOf(copy);
  const due = begunAt(copy) + delay;
  const first = copy.deliveries[0];
  if (delay === 0 || first === undefined || first.leasedAt >= due - model.slack) return;
  // What was put out to make room, or purged of its delay by a redrive, is due at once.
  if (first.deathCount > 0) return;
  const early = (due - first.leasedAt).toFixed(1);
  const detail = `sent with a delay of ${delay} ms, leased ${early} ms too early`;
  findings.add('early', copy.key, first.t, detail);
}

/** A TTL runs from first availability, never begins anew on a retry, and ends with a death. */
function checkExpiry(model: Model, copy: Copy, findings: Findings): void {
  const ttl = ttlOf(copy, model.rules.get(copy.home)!);
  // When it was stored at the latest; of several sends, nobody knows which one stored it.
  const storedAt =
    copy.sends.length === 1 ? Math.min(confirmedAt(copy), copy.sends[0]!.endedAt) : null;
  if (ttl === null || storedAt === null) return;
  const expiresAt = storedAt + specOf(copy).delay + ttl;
  for (const delivery of copy.deliveries) {
    if (delivery.deathCount > 0 || delivery.queue !== copy.home) break;
    if (delivery.leasedAt <= expiresAt + model.slack) continue;
    const late = (delivery.leasedAt - expiresAt).toFixed(1);
    findings.add('late', copy.key, delivery.t, `leased ${late} ms past its TTL of ${ttl} ms`);
  }
}

function checkBackoff(model: Model, earlier: Delivery, later: Delivery, findings: Findings): void {
  const settlement = settlementOf(earlier);
  if (settlement?.op !== 'retry' || settlement.outcome !== 'ok') return;
  const { delay, factor, maxDelay } = model.rules.get(earlier.queue)!.backoff;
  const wait = settlement.delay ?? Math.min(delay * factor ** earlier.retryCount, maxDelay);
  const due = settlement.invokedAt + wait;
  if (later.leasedAt >= due - model.slack) return;
  const early = (due - later.leasedAt).toFixed(1);
  const detail = `to be tried again after ${wait} ms, leased ${early} ms too early`;
  findings.add('early', later.key, later.t, detail);
}
