/**
 * Checks the conformance suite: each bug planted in a correct driver must fail a test of the
 * guarantee that it breaks, and, where the histories can show it, the comparison with the model.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LEASE_BUGS } from './planted/lease-bugs.ts';
import { LIMIT_BUGS } from './planted/limit-bugs.ts';
import { lastingStores, memoryStores, runSuite, type SuiteRun } from './planted/plant.ts';
import { RESTART_BUGS } from './planted/restart-bugs.ts';
import { SEND_BUGS } from './planted/send-bugs.ts';
import { VIEW_BUGS } from './planted/view-bugs.ts';

const BUGS = { ...LEASE_BUGS, ...SEND_BUGS, ...VIEW_BUGS, ...LIMIT_BUGS };
const GAPS = { reopen: 'memory', crash: 'memory' };
/** A seed that shows every bug early; a run that shows nothing takes as long as all of them. */
const MODEL = { runs: 100, seed: 2, shrink: false };
const HISTORIES = ['G1-G13 random histories', 'G11 random histories'];

/** Those of the other kind run only when the first kind shows nothing: a run that passes is long. */
async function expectHistory(run: Omit<SuiteRun, 'only'>): Promise<void> {
  for (const kind of HISTORIES) {
    const { failed } = await runSuite({ ...run, only: (title) => title.startsWith(kind) });
    if (failed.length > 0) return;
  }
  assert.fail('no history showed it');
}

describe('the suite sees that', () => {
  for (const [name, bug] of Object.entries(BUGS)) {
    test(name, async () => {
      const restore = bug.patch?.();
      try {
        const createStore = memoryStores(bug.plant ?? ((driver) => driver));
        const run = { createStore, gaps: GAPS, model: MODEL };
        const tests = await runSuite({ ...run, only: (title) => title.startsWith(bug.breaks) });
        assert.notDeepEqual(tests.failed, [], `no test '${bug.breaks} …' failed`);
        if (bug.inHistories !== true) return;
        await expectHistory(run);
      } finally {
        restore?.();
      }
    });
  }

  for (const [name, { breaks, ...bug }] of Object.entries(RESTART_BUGS)) {
    test(`after a restart ${name}`, async () => {
      const run = { createStore: lastingStores(bug), model: MODEL };
      const tests = await runSuite({ ...run, only: (title) => title.startsWith(breaks) });
      assert.equal(tests.failed.length, 2, `reopen and crash: ${tests.failed.join(', ')}`);
      await expectHistory(run);
    });
  }
});

test('a correct driver that lives through restarts passes the whole suite', async () => {
  const verdict = await runSuite({ createStore: lastingStores(), only: () => true, model: MODEL });
  assert.deepEqual(verdict.failed, []);
  assert.ok(verdict.passed.length > 150);
});
