/**
 * Goes through a history and finds what must not have happened. Pure, and O(n log n): it knows
 * nothing of how the history came about, and takes nothing on trust that the store says of itself
 * where the history can tell.
 */
import { buildModel } from './checker/build-model.ts';
import { checkContents } from './checker/contents.ts';
import { type Coverage, coverageOf } from './checker/coverage.ts';
import { checkDeadLetters } from './checker/dead-letters.ts';
import { checkExistence } from './checker/existence.ts';
import { Findings, type Violation } from './checker/findings.ts';
import { checkGroups } from './checker/groups.ts';
import { checkLeases } from './checker/leases.ts';
import type { QueueRules } from './checker/model.ts';
import { checkOrder } from './checker/order.ts';
import { checkRetries } from './checker/retries.ts';
import { checkTime } from './checker/time.ts';
import type { HistoryEvent } from './history.ts';

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly coverage: Coverage;
}

export function checkHistory(
  events: readonly HistoryEvent[],
  rules: readonly QueueRules[],
): Verdict {
  const findings = new Findings();
  const model = buildModel(events, rules, findings);
  checkExistence(model, findings);
  checkContents(model, findings);
  checkLeases(model, findings);
  checkRetries(model, findings);
  checkDeadLetters(model, findings);
  checkTime(model, findings);
  const ordered = checkOrder(model, findings);
  const grouped = checkGroups(model, findings);
  return { violations: findings.violations, coverage: coverageOf(model, { ordered, grouped }) };
}
