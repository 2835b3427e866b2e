import type { Findings } from './findings.ts';
import { groupBy } from './group-by.ts';
import { begunAt, confirmedAt, type Copy, type Delivery, type Model, specOf } from './model.ts';

/** The first lease of a message that was ready from the moment it was stored. */
interface FirstLease {
  readonly copy: Copy;
  readonly delivery: Delivery;
  /** Nobody can have held it before and have given it back unbegun. */
  readonly isCertain: boolean;
}

/** First come, first served within a priority; higher priorities first: see `RULES`. */
export function checkOrder(model: Model, findings: Findings): number {
  const handedBack = handBacks(model);
  const first = model.copies.flatMap((copy) => firstLease(copy, handedBack) ?? []);
  for (const [, ofQueue] of groupBy(first, ({ copy }) => copy.home)) {
    const inOrder = ofQueue.toSorted((a, b) => a.delivery.token - b.delivery.token);
    for (const [, samePriority] of groupBy(inOrder, ({ copy }) => specOf(copy).priority)) {
      checkFirstCome(samePriority, findings);
    }
  }
  checkPriorities(model, first, findings);
  return first.filter(({ isCertain }) => isCertain).length;
}

function firstLease(
  copy: Copy,
  handedBack: (queue: string, from: number, to: number) => boolean,
): FirstLease | null {
  const delivery = copy.deliveries[0];
  const { group, delay } = specOf(copy);
  const isFirst = delivery?.deliveryCount === 1 && delivery.deathCount === 0;
  if (!isFirst || group !== null || delay > 0 || delivery.queue !== copy.home) return null;
  return { copy, delivery, isCertain: !handedBack(copy.home, begunAt(copy), delivery.t) };
}

/** When consumers handed back what they had not begun: then leases were that nobody saw. */
function handBacks(model: Model): (queue: string, from: number, to: number) => boolean {
  const times = new Map<string, number[]>();
  for (const [queue, stops] of groupBy(
    model.actions.filter(({ op }) => op === 'stop'),
    (stop) => stop.queue,
  )) {
    times.set(
      queue,
      stops.map(({ invokedAt }) => invokedAt),
    );
  }
  const closings = [...model.lives.values()].flatMap(({ closingAt }) => closingAt ?? []);
  return (queue, from, to) =>
    hasBetween(times.get(queue) ?? [], from, to) || hasBetween(closings, from, to);
}

/** @param sorted ascending */
function hasBetween(sorted: readonly number[], from: number, to: number): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low < sorted.length && sorted[low]! <= to;
}

function checkFirstCome(inOrder: readonly FirstLease[], findings: Findings): void {
  let youngest: FirstLease | null = null;
  for (const lease of inOrder) {
    if (youngest !== null && lease.isCertain && confirmedAt(lease.copy) < begunAt(youngest.copy)) {
      const detail = `was confirmed before ${youngest.copy.key} was sent, but leased after it`;
      findings.add('order', lease.copy.key, lease.delivery.t, detail);
    }
    if (youngest === null || begunAt(lease.copy) > begunAt(youngest.copy)) youngest = lease;
  }
}

function checkPriorities(model: Model, first: readonly FirstLease[], findings: Findings): void {
  const certain = groupBy(
    first.filter(({ isCertain, copy }) => isCertain && confirmedAt(copy) < Infinity),
    ({ copy }) => copy.home,
  );
  const leases = groupBy(
    model.deliveries.filter(({ group }) => group === null),
    ({ queue }) => queue,
  );
  for (const [queue, waiting] of certain) {
    const inOrder = (leases.get(queue) ?? []).toSorted((a, b) => a.token - b.token);
    checkPrioritiesOf(model, waiting, inOrder, findings);
  }
}

/** Goes through the leases, with those who were certainly ready at each, by priority. */
function checkPrioritiesOf(
  model: Model,
  first: readonly FirstLease[],
  leases: readonly Delivery[],
  findings: Findings,
): void {
  const coming = first.toSorted((a, b) => confirmedAt(a.copy) - confirmedAt(b.copy));
  const ready = new Map<number, Set<Copy>>();
  let next = 0;
  for (const lease of leases) {
    while (next < coming.length && confirmedAt(coming[next]!.copy) < lease.leasedAt - model.slack) {
      const { copy, delivery } = coming[next++]!;
      // What was leased by then does not wait.
      if (delivery.token < lease.token) continue;
      const { priority } = specOf(copy);
      ready.set(priority, (ready.get(priority) ?? new Set()).add(copy));
    }
    ready.get(specOf(lease.copy).priority)?.delete(lease.copy);
    const own = specOf(lease.copy).priority;
    for (const [priority, copies] of ready) {
      const [higher] = copies;
      if (priority <= own || higher === undefined) continue;
      const detail = `leased at priority ${own} while ${higher.key} was ready at ${priority}`;
      findings.add('priority', lease.key, lease.t, detail);
      break;
    }
  }
}
