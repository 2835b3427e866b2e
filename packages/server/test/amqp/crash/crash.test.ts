/** Nothing confirmed is lost, nothing acknowledged comes again, however brokers die. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCrashes } from './crash-run.ts';
import { CASES } from './crash-stores.ts';

const KILLS = 5;

// Most of the time a broker starts again: for one store as well as for all.
describe('clients find all there is', { concurrency: true }, () => {
  for (const [name, { start, brokers }] of Object.entries(CASES)) {
    it(`when brokers on ${name} are killed`, async (t) => {
      const store = await start();
      t.after(() => store.stop());
      const random = Math.random;
      const report = await runCrashes({ store: store.url, brokers, kills: KILLS, random });
      const { lost, violations, ...counts } = report;
      t.diagnostic(JSON.stringify(counts));
      assert.deepEqual(violations.slice(0, 10), []);
      assert.deepEqual(lost.slice(0, 10), [], `${lost.length} lost`);
      // Else it has shown nothing.
      assert.ok(report.confirmed >= 20 * KILLS, `${report.confirmed} confirmed`);
      assert.ok(report.acknowledged >= 20 * KILLS, `${report.acknowledged} acknowledged`);
      assert.ok(report.redeliveries > 0, `${report.redeliveries} redeliveries`);
    });
  }
});
