/** Each rule of the checker on histories made by hand: ones that keep it, and ones that break it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Case } from './cases/case.ts';
import { counts } from './cases/counts.ts';
import { failures } from './cases/failures.ts';
import { leases } from './cases/leases.ts';
import { rulesOf } from './cases/made-history.ts';
import { orders } from './cases/orders.ts';
import { together } from './cases/shared.ts';
import { stored } from './cases/stored.ts';
import { times } from './cases/times.ts';
import { RULES } from './checker/findings.ts';
import { checkHistory } from './checker.ts';

const QUEUES = [
  rulesOf('q'),
  rulesOf('r'),
  rulesOf('dead'),
  rulesOf('rescue', { deadLetters: null }),
  rulesOf('short', { messageTtl: 50 }),
  rulesOf('kept', { messageTtl: 50, keepsExpired: true }),
  rulesOf('small', { maxSize: 2 }),
  rulesOf('dropping', { dropsOldest: true }),
  rulesOf('slow', { backoff: { delay: 20, factor: 2, maxDelay: 1_000 } }),
];

function checkCases(all: readonly Case[]): void {
  for (const [what, broken, { events }] of all) {
    test(`${what}: ${broken.join(', ') || 'nothing found'}`, () => {
      const { violations } = checkHistory(events, QUEUES);
      const found = new Set(violations.map(({ rule }) => rule));
      assert.deepEqual([...found].toSorted(), broken.toSorted(), JSON.stringify(violations));
    });
  }
}

const suites = {
  'what is stored': stored,
  leases: leases,
  'several processes': together,
  failures: failures,
  order: orders,
  time: times,
  counts: counts,
};

for (const [name, all] of Object.entries(suites)) suite(name, () => checkCases(all));

test('every rule is broken by a history', () => {
  const broken = new Set(Object.values(suites).flatMap((all) => all.flatMap(([, rules]) => rules)));
  assert.deepEqual([...broken].toSorted(), Object.keys(RULES).toSorted());
});
