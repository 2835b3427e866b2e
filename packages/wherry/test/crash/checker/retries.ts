import type { Findings } from './findings.ts';
import { staysOf } from './leases.ts';
import { begunAt, type Copy, type Delivery, type Model, type Settle, specOf } from './model.ts';

/** Deliveries and failures are counted, also across crashes, and bounded: see `RULES`. */
export function checkRetries(model: Model, findings: Findings): void {
  for (const copy of model.copies) {
    let before: Delivery | null = null;
    for (const stay of staysOf(copy)) {
      checkFirst(model, copy, stay[0]!, before, findings);
      for (let i = 1; i < stay.length; i++) checkNext(model, stay[i - 1]!, stay[i]!, findings);
      checkBound(model, copy, stay, findings);
      before = stay.at(-1)!;
    }
  }
}

/** The settlement that ended a lease, if it did; an extension does not. */
export function settlementOf(delivery: Delivery): Settle | null {
  return delivery.settles.find(({ op, outcome }) => op !== 'extend' && outcome !== 'fail') ?? null;
}

/** Deliveries that nobody saw are counted, too. */
function checkFirst(
  model: Model,
  copy: Copy,
  first: Delivery,
  before: Delivery | null,
  findings: Findings,
): void {
  const hidden = first.deliveryCount - 1;
  const since = before?.t ?? begunAt(copy);
  if (hidden < 0 || hidden > model.hiddenBetween(since, first.t)) {
    const detail = `its first delivery in ${first.queue} is number ${first.deliveryCount}`;
    findings.add('delivery-count', copy.key, first.t, detail);
  }
  if (first.retryCount !== hidden) {
    const detail = `first delivery in ${first.queue}, number ${first.deliveryCount}, has retryCount ${first.retryCount}`;
    findings.add('retries', copy.key, first.t, detail);
  }
}

function checkNext(model: Model, earlier: Delivery, later: Delivery, findings: Findings): void {
  // Handed out twice: another rule's business.
  if (earlier.token === later.token) return;
  const settlement = settlementOf(earlier);
  const hidden = later.deliveryCount - earlier.deliveryCount - 1;
  const { endedAt } = model.lives.get(earlier.process)!;
  // At that death it was this lease that was held.
  const died = settlement === null && earlier.bound && endedAt < later.t ? 1 : 0;
  if (hidden < 0 || hidden > Math.max(0, model.hiddenBetween(earlier.t, later.t) - died)) {
    const detail =
      `delivery ${earlier.deliveryCount} in process ${earlier.process} was followed by ` +
      `delivery ${later.deliveryCount} in process ${later.process}`;
    findings.add('delivery-count', later.key, later.t, detail);
    return;
  }
  const isRequeue = settlement?.op === 'requeue';
  const least = isRequeue ? 0 : 1;
  const most = isRequeue && settlement.outcome === 'ok' ? 0 : 1;
  const retries = later.retryCount - earlier.retryCount - hidden;
  if (retries < least || retries > most) {
    const detail =
      `retryCount went from ${earlier.retryCount} to ${later.retryCount} after ` +
      `${settlement?.op ?? 'a lease that ended'}, with ${hidden} unseen deliveries between`;
    findings.add('retries', later.key, later.t, detail);
  }
}

/** Counted from what was seen, not from what the store says. */
function checkBound(model: Model, copy: Copy, stay: readonly Delivery[], findings: Findings): void {
  const most = (specOf(copy).maxRetries ?? model.rules.get(stay[0]!.queue)!.maxRetries) + 1;
  const counted = stay.filter((delivery) => settlementOf(delivery)?.op !== 'requeue');
  const last = stay.at(-1)!;
  // Requeued at the last may be without having been counted before.
  if (counted.length > most || last.retryCount >= most) {
    const detail =
      `${counted.length} counted deliveries and retryCount ${last.retryCount} in ${last.queue}, ` +
      `where ${most} deliveries are allowed (begun at ${begunAt(copy).toFixed(1)})`;
    findings.add('retries', copy.key, last.t, detail);
  }
}
