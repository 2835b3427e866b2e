import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child } from './child.ts';
import { Ledger } from './ledger.ts';
import { storeFolder } from './store-folder.ts';
import { ONE_SYNCING_THREAD, straceCommand } from './strace.ts';

/** The first two syncs of a process are those with which it opens the store. */
const SYNCS = [1, 2, 3, 4, 8, 30];
/** Calls that write, on both sides of a sync. */
const WRITES = [40, 41];

test(
  'G1 what was confirmed survives a kill at any sync or write of a commit',
  { timeout: 60_000 },
  async (t) => {
    const path = storeFolder(t);
    const ledger = new Ledger();
    const moments = [
      ...SYNCS.map((at) => `fdatasync:signal=SIGKILL:when=${at}`),
      ...WRITES.map((at) => `pwrite64:signal=SIGKILL:when=${at}`),
    ];
    // The store must be there for the first kill to meet one that opens.
    const maker = new Child(t, ['send', path, '0']);
    await maker.until((said) => said.filter(({ event }) => event === 'sent').length >= 50);
    await maker.kill();
    ledger.record(maker.said);
    let unconfirmed = 0;
    for (const moment of moments) {
      const child = new Child(t, ['send', path, String(ledger.next)], {
        wrapper: straceCommand(moment),
        env: ONE_SYNCING_THREAD,
      });
      assert.equal(await child.ended, 'SIGKILL', moment);
      ledger.record(child.said);
      unconfirmed = await ledger.check(path);
    }
    const { confirmed, settled } = ledger;
    t.diagnostic(
      `${moments.length} kills: ${confirmed.size} confirmed, ${settled.size} acknowledged, ` +
        `${unconfirmed} stored without an answer`,
    );
    assert.ok(confirmed.size >= 300 && settled.size >= 20, 'too few for this to prove anything');
  },
);
