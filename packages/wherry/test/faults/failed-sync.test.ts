import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child } from './child.ts';
import { Ledger } from './ledger.ts';
import { storeFolder } from './store-folder.ts';
import { ONE_SYNCING_THREAD, straceCommand } from './strace.ts';

/**
 * Where a call fails, and whether those after it do. One that fails alone is the worse case: the
 * system forgets what it could not write, and says that all is well when asked again.
 */
const FAILURES = [
  'fdatasync:error=EIO:when=8',
  'fdatasync:error=EIO:when=8+',
  'fdatasync:error=EIO:when=31',
  // LMDB writes the page that makes a commit valid through a descriptor that syncs by itself.
  'pwrite64:error=EIO:when=60',
  'pwrite64:error=EIO:when=61+',
];

for (const failure of FAILURES) {
  test(`G16 nothing is confirmed after ${failure}`, async (t) => {
    const path = storeFolder(t);
    const child = new Child(t, ['send', path], {
      wrapper: straceCommand(failure),
      env: ONE_SYNCING_THREAD,
    });
    await child.hear('stopped');
    await child.kill();
    const { said } = child;
    const first = said.findIndex(({ event }) => event === 'refused' || event === 'unsettled');
    const before = said.slice(0, first);
    const after = said.slice(first).filter(({ event }) => event !== 'settling');
    const confirmed = before.filter(({ event }) => event === 'sent').length;
    const refused = after.filter(({ event }) => event === 'refused').length;
    t.diagnostic(`${confirmed} confirmed before, ${refused} refused after`);
    assert.ok(confirmed >= 8 && refused >= 40, `${confirmed} confirmed, ${refused} refused`);
    for (const { event, code, retriable } of after.filter((each) => each.event !== 'stopped')) {
      assert.match(event, /^(refused|unsettled)$/);
      assert.deepEqual([code, retriable], ['STORAGE_FAILED', false]);
    }

    const ledger = new Ledger();
    ledger.record(said);
    const unconfirmed = await ledger.check(path);
    // At most those that were on their way when it failed.
    assert.ok(unconfirmed <= 8, `${unconfirmed} stored without an answer`);
  });
}
