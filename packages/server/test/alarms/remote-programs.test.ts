/** A program on the remote driver while the broker takes no messages. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { MessageQueueSystem, StorageError } from 'wherry';
import { temporaryFolder } from '../../../wherry/test/cli/harness.ts';
import { startBroker } from '../broker.ts';

test('what it sends is refused, and it consumes, retries and dead-letters', async (t) => {
  const store = join(temporaryFolder(), 'store');
  const before = await MessageQueueSystem.open({ storage: store, queues: [{ name: 'work' }] });
  for (const payload of ['done', 'again', 'dead']) await before.sendMessage('work', { payload });
  await before.close();
  // More is in use from the start.
  const broker = await startBroker({ store, limits: { memory: '1mb' } });
  t.after(() => broker.close({ deadline: 0 }));
  const mq = await MessageQueueSystem.open({ storage: broker.url });
  t.after(() => mq.close());

  const refused = (error: unknown): boolean => {
    assert.ok(error instanceof StorageError, String(error));
    assert.deepEqual([error.code, error.retriable], ['OVERLOADED', true]);
    assert.match(error.message, /limits\.memory.* Nothing was stored\.$/);
    return true;
  };
  await assert.rejects(mq.sendMessage('work', { payload: 'new' }), refused);
  await mq.createExchange({ name: 'all', type: 'fanout' });
  await mq.bind({ exchange: 'all', queue: 'work' });
  await assert.rejects(mq.publish('all', '', { payload: 'new' }), refused);

  const [done, again, dead] = [
    await mq.receiveMessage<string>('work', 'worker'),
    await mq.receiveMessage<string>('work', 'worker'),
    await mq.receiveMessage<string>('work', 'worker'),
  ];
  await done!.acknowledge();
  await again!.retry({ delay: 0 });
  await dead!.deadLetter();
  const retried = await mq.receiveMessage<string>('work', 'worker', { waitMs: '10s' });
  assert.deepEqual([retried?.payload, retried?.retryCount], ['again', 1]);
  const { ready, leased } = await mq.getQueueInfo('work');
  assert.deepEqual([ready, leased], [0, 1], 'nothing of what was refused is there');
  assert.equal((await mq.getQueueInfo(mq.deadLetterQueue.queueName)).ready, 1);
});
