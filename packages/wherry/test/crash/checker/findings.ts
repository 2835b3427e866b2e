import { groupBy } from './group-by.ts';

/** What a history must hold. Each is named in a violation; the numbers are design.md's guarantees. */
export const RULES = {
  lost: 'what was confirmed is acknowledged, expired, purged or still stored (G1, G2)',
  phantom: 'what is delivered or stored was sent to that queue, and the send was not refused',
  doubled: 'a message is stored once, however often it was sent with one deduplicationId (G12)',
  torn: 'a fan-out or an atomic batch is stored whole or not at all (G13)',
  altered: 'body, headers, priority and group come back as they were given',
  'acknowledged-again': 'what was acknowledged is neither delivered nor stored any more (G1)',
  'two-places': 'a message is in one queue at every moment (G7)',
  'lease-overlap': 'a message is handed out again only when its lease has ended (G3)',
  'late-settle': 'a lease that has ended settles nothing (G4)',
  'settled-twice': 'a lease is settled once (G4)',
  'refused-settle': 'the holder of a lease can settle it (G3)',
  token: 'later leases have greater tokens (G4)',
  order: 'at one priority, what was confirmed before another send began is leased first (G5)',
  priority: 'nothing is leased while something of higher priority is ready (G5)',
  'delivery-count': 'deliveries count 1, 2, 3 …; a gap only where a process died (G6)',
  retries: 'failures count, and there are at most maxRetries of them (G6)',
  'dead-letter': 'a message comes to the dead letters, and back, only for a reason (G6, G7)',
  'max-size': 'no queue holds more than its maxSize (G8)',
  early: 'nothing is leased before its delay or back-off has passed',
  late: 'nothing is leased past its TTL (G9)',
  counts: 'the counts of a queue equal what browsing finds (G10)',
  'group-order': 'messages of a group are handled in order, across retries too (G11)',
  'group-shared': 'a group has one holder at a time (G11)',
  'purge-count': 'a purge answers how many messages it removed',
  stuck: 'without faults everything is delivered in time',
} as const;

export type RuleName = keyof typeof RULES;

export interface Violation {
  readonly rule: RuleName;
  /** The message's key; a queue's name where a rule is about a queue. */
  readonly about: string;
  readonly detail: string;
  /** When, by the history's clock. */
  readonly t: number;
}

export class Findings {
  readonly violations: Violation[] = [];

  add(rule: RuleName, about: string, t: number, detail: string): void {
    this.violations.push({ rule, about, detail, t });
  }
}

const SHOWN_PER_RULE = 5;

/** For people: each rule that was broken, with its first violations. */
export function describeViolations(violations: readonly Violation[]): string {
  const byRule = groupBy(violations, ({ rule }) => rule);
  const lines: string[] = [];
  for (const [rule, found] of byRule) {
    lines.push(`${rule}: ${RULES[rule]}. Broken ${found.length} time(s):`);
    for (const { about, detail, t } of found.slice(0, SHOWN_PER_RULE)) {
      lines.push(`  ${about} at ${t.toFixed(1)}: ${detail}`);
    }
  }
  return lines.join('\n');
}
