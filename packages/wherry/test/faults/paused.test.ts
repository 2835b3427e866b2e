import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem, StorageInUseError } from '../../src/index.ts';
import { Child } from './child.ts';
import { storeFolder } from './store-folder.ts';

const LEASE_MS = 1_000;

for (const holder of ['idle', 'busy']) {
  test(`G4 a holder, ${holder} and paused past its lease, cannot acknowledge`, async (t) => {
    const path = storeFolder(t);
    const child = new Child(t, ['hold', path, String(LEASE_MS), holder]);
    const { id } = await child.hear('leased');
    child.signal('SIGSTOP');
    child.tell('acknowledge');
    await sleep(LEASE_MS);
    // The store stays its own meanwhile.
    const intruder = MessageQueueSystem.open({ storage: path }).then((mq) => mq.close());
    await assert.rejects(intruder, (error) => {
      assert.ok(error instanceof StorageInUseError, String(error));
      assert.equal(error.ownerPid, child.pid);
      return true;
    });
    assert.equal(child.said.at(-1)!.event, 'leased', 'it was paused all the time');
    child.signal('SIGCONT');
    assert.equal((await child.hear('acknowledging')).code, 'LEASE_LOST');
    assert.deepEqual(await child.hear('received'), { event: 'received', id, deliveryCount: 2 });
    await child.hear('closed');

    await using mq = await MessageQueueSystem.open({ storage: path });
    assert.equal((await mq.getQueueInfo('work')).messageCount, 0);
  });
}
