import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Coverage, shortfalls } from '../../crash/checker/coverage.ts';
import { describeViolations, type RuleName } from '../../crash/checker/findings.ts';
import type { FaultReport } from './fault-run.ts';

/** Connections that a process may hold on to in a pool, beyond those it had at the beginning. */
const MORE_SOCKETS = 2;

/** Less, and the run has shown nothing. */
const FLOORS: Partial<Coverage> = {
  confirmedSends: 300,
  fanOuts: 5,
  atomicBatches: 3,
  deliveries: 300,
  redeliveries: 20,
  acknowledged: 200,
  ordered: 30,
  grouped: 30,
  stableAudits: 1,
};

/**
 * What may break when the last leases before a failover are not on the replica: a message is handed
 * out again, as if it had not been. Its first holder is fenced, and nothing is lost.
 */
export const FORGOTTEN_LEASES: readonly RuleName[] = [
  'lease-overlap',
  'refused-settle',
  'delivery-count',
  'retries',
  'order',
  'group-order',
  'group-shared',
];

/**
 * Says what was done, and fails when a rule was broken, somebody came back late or leaked.
 * @param allowed rules that may be broken
 */
export function assertUnharmed(
  t: TestContext,
  report: FaultReport,
  seed: number,
  allowed: readonly RuleName[] = [],
): void {
  const { coverage, effects, sockets, complaints, folder } = report;
  const broken = (...rules: readonly string[]): number =>
    report.violations.filter(({ rule }) => rules.includes(rule)).length;
  const violations = report.violations.filter(({ rule }) => !allowed.includes(rule));
  t.diagnostic(
    `seed ${seed}: ${coverage.faults} faults, ${coverage.kills} processes killed, ` +
      `${coverage.confirmedSends} confirmed sends (${coverage.sendsInDoubt} in doubt), ` +
      `${coverage.deliveries} deliveries (${coverage.redeliveries} redeliveries, ` +
      `${coverage.staleSettlesRefused} stale settlements refused), ` +
      `lost ${broken('lost', 'torn')}, doubled ${broken('doubled', 'acknowledged-again')}`,
  );
  if (allowed.length > 0) t.diagnostic(`leases forgotten: ${broken(...allowed)} consequences`);
  for (const { name, lasted, back } of effects) {
    t.diagnostic(`${name}: took ${lasted.toFixed(0)} ms, all back after ${back.toFixed(0)} ms`);
  }
  t.diagnostic(`sockets ${sockets.map(([before, after]) => `${before} → ${after}`).join(', ')}`);
  const repeat = `Seed ${seed}; the history is in ${folder}.`;
  assert.equal(violations.length, 0, `${repeat}\n${describeViolations(violations)}`);
  assert.deepEqual(shortfalls(coverage, FLOORS), [], `The run is not valid. ${repeat}`);
  assert.equal(complaints, '', 'processes had something to complain about');
  for (const { name, back, within } of effects) {
    assert.ok(back < within, `after '${name}' it took ${back.toFixed(0)} ms`);
  }
  for (const [before, after] of sockets) {
    assert.ok(after <= before + MORE_SOCKETS, `${before} sockets became ${after}`);
  }
}

/** @returns what chooses everything that varies; FAULT_SEED repeats a run */
export function chooseSeed(): number {
  return Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 1e6));
}
