import type { Findings } from './findings.ts';
import type { Copy, Delivery, Model, Settle } from './model.ts';

/** One holder at a time, and only he settles: see `RULES`. */
export function checkLeases(model: Model, findings: Findings): void {
  for (const copy of model.copies) {
    for (let i = 1; i < copy.deliveries.length; i++) {
      checkRedelivery(model, copy.deliveries[i - 1]!, copy.deliveries[i]!, findings);
    }
    for (const delivery of copy.deliveries) checkSettles(model, delivery, findings);
  }
  checkTokens(model, findings);
}

/**
 * Why a lease had ended when `next` was made; null: for no reason. An acknowledgement is none:
 * if it took effect, nothing is delivered again; if not, the lease went on.
 * @param next the lease that came after it, and when it was seen
 */
export function endOf(
  model: Model,
  delivery: Delivery,
  next: { readonly t: number; readonly leasedAt: number; readonly process: number },
): 'settled' | 'acknowledged' | 'holder gone' | 'expired' | null {
  const settle = delivery.settles.find(
    ({ op, outcome, invokedAt }) => op !== 'extend' && outcome !== 'fail' && invokedAt <= next.t,
  );
  if (settle !== undefined && settle.op !== 'ack') return 'settled';
  // Who was told that nobody knows may have given it back: a loop that ends so does.
  const isTold = settle?.outcome === 'info' && settle.error !== '';
  if (isTold && settle.endedAt <= next.leasedAt + model.slack) return 'settled';
  if (delivery.bound && next.t > goneAt(model, delivery)) return 'holder gone';
  if (next.leasedAt >= delivery.leaseEndMin - model.slack) return 'expired';
  return settle === undefined ? null : 'acknowledged';
}

/** When the leases of the one who had this ended with him. */
function goneAt(model: Model, { process }: Delivery): number {
  const { endsLeases, endedAt, closingAt } = model.lives.get(process)!;
  return (endsLeases ? endedAt : closingAt) ?? Infinity;
}

function checkRedelivery(
  model: Model,
  earlier: Delivery,
  later: Delivery,
  findings: Findings,
): void {
  const end = endOf(model, earlier, later);
  // That an acknowledged message came again is another rule's business.
  if (end !== null && (end !== 'acknowledged' || isAcknowledged(earlier))) return;
  const detail =
    `${later.id} was leased to ${later.consumer} at ${later.leasedAt.toFixed(1)}, but ` +
    `${earlier.consumer} held it until ${earlier.leaseEndMin.toFixed(1)}`;
  findings.add('lease-overlap', later.key, later.t, detail);
}

function isAcknowledged(delivery: Delivery): boolean {
  return delivery.settles.some(({ op, outcome }) => op === 'ack' && outcome === 'ok');
}

function checkSettles(model: Model, delivery: Delivery, findings: Findings): void {
  let settled: Settle | null = null;
  for (const settle of delivery.settles) {
    const { op, outcome, invokedAt, endedAt, error } = settle;
    if (outcome === 'ok' && invokedAt > delivery.leaseEndMax + model.slack) {
      const late = (invokedAt - delivery.leaseEndMax).toFixed(1);
      const detail = `${op} by ${delivery.consumer} took effect ${late} ms after its lease`;
      findings.add('late-settle', delivery.key, invokedAt, detail);
    }
    if (outcome === 'ok' && settled?.outcome === 'ok') {
      const detail = `${settled.op}, then ${op} by ${delivery.consumer} took effect`;
      findings.add('settled-twice', delivery.key, endedAt, detail);
    }
    const isHeld = settled === null && endedAt < delivery.leaseEndMin - model.slack;
    const ofLease = error === 'LEASE_LOST' || error === 'MESSAGE_NOT_FOUND';
    if (outcome === 'fail' && ofLease && isHeld && !isClosing(model, settle)) {
      const detail = `${op} by ${delivery.consumer} was refused (${error}) during its lease`;
      findings.add('refused-settle', delivery.key, endedAt, detail);
    }
    if (op !== 'extend' && outcome !== 'fail') settled ??= settle;
  }
}

/** A store that is being closed takes messages back from those who did not finish. */
function isClosing(model: Model, { process, endedAt }: Settle): boolean {
  return endedAt >= (model.lives.get(process)?.closingAt ?? Infinity);
}

/** The checker takes the order of leases from their tokens, so it must agree with the clock. */
function checkTokens(model: Model, findings: Findings): void {
  const latest = new Map<string, Delivery>();
  for (const delivery of model.deliveries.toSorted((a, b) => a.token - b.token)) {
    const before = latest.get(delivery.queue);
    if (before !== undefined && delivery.leasedAt < before.leasedAt - model.slack) {
      const detail = `token ${delivery.token} is greater than one of a later lease`;
      findings.add('token', delivery.key, delivery.t, detail);
    } else latest.set(delivery.queue, delivery);
  }
}

/** The deliveries of one stay in a queue: a message that died or was sent back begins anew. */
export function staysOf(copy: Copy): Delivery[][] {
  const stays: Delivery[][] = [];
  for (const delivery of copy.deliveries) {
    const stay = stays.at(-1);
    const last = stay?.at(-1);
    const isSame = last?.queue === delivery.queue && last.deathCount === delivery.deathCount;
    if (stay === undefined || !isSame) stays.push([delivery]);
    else stay.push(delivery);
  }
  return stays;
}
