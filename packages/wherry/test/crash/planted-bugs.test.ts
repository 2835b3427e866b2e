/** The checker is checked: each planted bug must be found, by the rule that is there for it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { runPeacefully, runRound } from './round.ts';

/** Chance decides whether a bug shows in so short a round; in one of several it must. */
const ROUNDS = 20;
/** One whose consumers are of all kinds, so that the first round mostly has what a bug needs. */
const FIRST_SEED = 4;
/** Of a process, until it is killed or ends. */
const EVENTS = 800;

suite('planted bugs are found', { concurrency: 2 }, () => {
  for (const [bug, { rule, needsKill }] of Object.entries(PLANTED_BUGS)) {
    test(`${bug}: ${rule}`, async () => {
      const found = new Set<string>();
      for (let seed = FIRST_SEED; seed < FIRST_SEED + ROUNDS && !found.has(rule); seed++) {
        const folder = mkdtempSync(join(tmpdir(), 'wherry-bug-'));
        const options = { seed, drainMs: 1_000, folder, bug };
        const { violations } = needsKill
          ? await runRound({ ...options, kills: 1, killAfter: EVENTS })
          : await runPeacefully({ ...options, events: EVENTS });
        for (const violation of violations) found.add(violation.rule);
        rmSync(folder, { recursive: true });
      }
      const others = [...found].join(', ');
      assert.ok(found.has(rule), `${rule} found nothing in ${ROUNDS} rounds; broken: ${others}`);
    });
  }
});
