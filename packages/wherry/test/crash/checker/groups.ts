import type { Findings } from './findings.ts';
import { groupBy } from './group-by.ts';
import { endOf } from './leases.ts';
import { begunAt, confirmedAt, type Delivery, type Model, specOf } from './model.ts';

/** One holder at a time, strictly in order: see `RULES`. @returns how many leases were compared */
export function checkGroups(model: Model, findings: Findings): number {
  const grouped = model.deliveries.filter(({ copy }) => specOf(copy).group !== null);
  const byGroup = groupBy(grouped, ({ queue, copy }) => `${queue} ${specOf(copy).group}`);
  let compared = 0;
  for (const deliveries of byGroup.values()) {
    const inOrder = deliveries.toSorted((a, b) => a.token - b.token);
    checkHolders(model, inOrder, findings);
    checkGroupOrder(inOrder, findings);
    compared += inOrder.length - 1;
  }
  return compared;
}

function checkHolders(model: Model, inOrder: readonly Delivery[], findings: Findings): void {
  let batch: Delivery[] = [];
  for (const delivery of inOrder) {
    if (batch[0]?.batch === delivery.batch && batch[0].process === delivery.process) {
      batch.push(delivery);
      continue;
    }
    const held = batch.find(
      (earlier) => earlier.id !== delivery.id && endOf(model, earlier, delivery) === null,
    );
    if (held !== undefined) {
      const { group } = specOf(delivery.copy);
      const detail = `of group ${group} was leased while ${held.consumer} held ${held.key}`;
      findings.add('group-shared', delivery.key, delivery.t, detail);
    }
    batch = [delivery];
  }
}

/**
 * What was sent before another is over before that one begins: it is not delivered any more, but
 * in one batch with it. An initial delay keeps a message out of its group; a redriven one is new.
 */
function checkGroupOrder(inOrder: readonly Delivery[], findings: Findings): void {
  const inPlace = inOrder.filter(
    ({ deathCount, queue, copy }) => deathCount === 0 && queue === copy.home,
  );
  let oldest = Infinity;
  for (let i = inPlace.length - 1; i >= 0; i--) {
    const delivery = inPlace[i]!;
    if (oldest < begunAt(delivery.copy)) checkPredecessors(inPlace, i, findings);
    if (specOf(delivery.copy).delay === 0) oldest = Math.min(oldest, confirmedAt(delivery.copy));
  }
}

function checkPredecessors(inOrder: readonly Delivery[], at: number, findings: Findings): void {
  const delivery = inOrder[at]!;
  const isSameBatch = (other: Delivery): boolean =>
    other.batch === delivery.batch && other.process === delivery.process;
  for (const later of inOrder.slice(at + 1)) {
    const isBefore = confirmedAt(later.copy) < begunAt(delivery.copy);
    if (!isBefore || specOf(later.copy).delay > 0) continue;
    if (later.copy.deliveries.some(isSameBatch)) continue;
    const { group } = specOf(delivery.copy);
    const detail = `of group ${group} was delivered before ${later.key} was over, sent earlier`;
    findings.add('group-order', delivery.key, delivery.t, detail);
    return;
  }
}
