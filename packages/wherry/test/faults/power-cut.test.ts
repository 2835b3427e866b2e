import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import { Ledger } from './ledger.ts';
import { type FileSystem, LoopImage } from './loop-image.ts';

const CUTS = 2;
/** With fewer of each a cut proves nothing. */
const CONFIRMED_MIN = 200;
const SETTLED_MIN = 20;
const MOMENT_MAX_MS = 300;

for (const fileSystem of ['ext4', 'xfs'] satisfies FileSystem[]) {
  test(`G1 what was confirmed survives power cuts on ${fileSystem}`, async (t) => {
    const image = LoopImage.create(t, fileSystem);
    const path = join(image.folder, 'store');
    const ledger = new Ledger();
    for (let cut = 1; cut <= CUTS; cut++) {
      const child = new Child(t, ['send', path, String(ledger.next)]);
      const count = (event: string): number =>
        child.said.filter((said) => said.event === event).length;
      await child.until(() => count('sent') >= CONFIRMED_MIN && count('settled') >= SETTLED_MIN);
      await sleep(Math.random() * MOMENT_MAX_MS);
      image.cutPower();
      await child.kill();
      image.unmount();
      image.mount();
      ledger.record(child.said);
      const unconfirmed = await ledger.check(path);
      t.diagnostic(
        `cut ${cut}: ${ledger.confirmed.size} confirmed, ${ledger.settled.size} acknowledged, ` +
          `${unconfirmed} stored without an answer`,
      );
    }
  });
}
