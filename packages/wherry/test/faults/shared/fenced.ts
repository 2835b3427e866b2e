import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageQueueSystem } from '../../../src/index.ts';
import { Child } from '../child.ts';

const LEASE_MS = 600;

/**
 * A process holds a message and is paused past the lease; somebody else has got the message when it
 * is woken. It cannot acknowledge any more, whatever it does first.
 * @param storage the URL of an empty store
 */
export async function assertFenced(
  t: TestContext,
  storage: string,
  holder: 'idle' | 'busy',
): Promise<void> {
  const child = new Child(t, ['hold', storage, String(LEASE_MS), holder]);
  const { id } = await child.hear('leased');
  child.signal('SIGSTOP');
  child.tell('acknowledge');
  await using mq = await MessageQueueSystem.open({ storage });
  const waited = performance.now();
  const taken = await mq.receiveMessage('work', 'successor', { waitMs: '15s' });
  t.diagnostic(`taken over ${Math.round(performance.now() - waited)} ms later`);
  assert.deepEqual([taken?.id, taken?.deliveryCount], [id, 2]);
  assert.equal(child.said.at(-1)!.event, 'leased', 'it was paused all the time');

  child.signal('SIGCONT');
  assert.equal((await child.hear('acknowledging')).code, 'LEASE_LOST');
  await sleep(50);
  assert.equal((await mq.getQueueInfo('work')).leased, 1, 'its successor has it still');
  await mq.rejectMessage(id!, 'successor', 'back to the first', { requeue: true });
  assert.deepEqual(await child.hear('received'), { event: 'received', id, deliveryCount: 3 });
  await child.hear('closed');
  assert.equal((await mq.getQueueInfo('work')).messageCount, 0);
}
