/** The short form of `npm run test:crash`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Coverage, shortfalls } from './checker/coverage.ts';
import { describeViolations } from './checker/findings.ts';
import { runRound } from './round.ts';

const KILLS = 20;
/** Of a process, until it is killed at the latest. */
const EVENTS_MAX = 1_200;

/** Less, and the run has shown nothing. */
const FLOORS: Partial<Coverage> = {
  kills: KILLS,
  killsAtWork: 8,
  confirmedSends: 300,
  sendsInDoubt: 5,
  fanOuts: 5,
  atomicBatches: 3,
  delayed: 20,
  withTtl: 5,
  deliveries: 400,
  redeliveries: 50,
  acknowledged: 200,
  staleSettlesRefused: 1,
  deadLetters: 10,
  stableAudits: 8,
  ordered: 50,
  grouped: 50,
};

test(`${KILLS} kills lose, double and reorder nothing`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-crash-'));
  const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 1e6));
  const { violations, coverage, history } = await runRound({
    seed,
    kills: KILLS,
    eventsMax: EVENTS_MAX,
    folder,
  });
  const { kills, confirmedSends, deliveries, redeliveries } = coverage;
  t.diagnostic(
    `seed ${seed}: ${kills} kills, ${confirmedSends} confirmed sends, ${deliveries} deliveries, ` +
      `${redeliveries} redeliveries, ${violations.length} violations`,
  );
  const repeat = `Seed ${seed}; the history is in ${history}.`;
  assert.equal(violations.length, 0, `${repeat}\n${describeViolations(violations)}`);
  assert.deepEqual(shortfalls(coverage, FLOORS), [], `The run is not valid. ${repeat}`);
  rmSync(folder, { recursive: true });
});
