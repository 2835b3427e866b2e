import assert from 'node:assert/strict';
import { LeaseLostError, MessageNotFoundError } from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';

eachStore('a running handler keeps its lease; the message is not handed out', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: 900 });
  let finish = (): void => {};
  let begun = 0;
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handler: () => {
      begun++;
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => begun === 1);
  for (let i = 0; i < 20; i++) await advance(290);
  assert.equal(begun, 1);
  assert.equal((await mq.getQueueInfo('q')).leased, 1);
  finish();
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
});

eachStore('G4 a late acknowledgement is refused and changes nothing', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  const id = await mq.sendMessage('q', { payload: 1 });
  const early = await mq.receiveMessage('q', 'me');
  await advance(1_001);
  await assert.rejects(mq.acknowledgeMessage(id, 'me'), LeaseLostError);
  const late = await mq.receiveMessage('q', 'you');
  assert.equal(late!.id, id);
  assert.equal(late!.deliveryCount, 2);
  await assert.rejects(early!.acknowledge(), LeaseLostError);
  await assert.rejects(mq.rejectMessage(id, 'me', 'x'), LeaseLostError);
  assert.equal((await mq.getQueueInfo('q')).leased, 1);
  await mq.acknowledgeMessage(id, 'you');
  await assert.rejects(mq.acknowledgeMessage(id, 'you'), MessageNotFoundError);
});

eachStore('extendLease keeps a received message', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', leaseDuration: '1s' });
  const id = await mq.sendMessage('q', { payload: 1 });
  const delivery = await mq.receiveMessage('q', 'me');
  await mq.extendLease(id, 'me', '1m');
  await advance(30_000);
  assert.equal(await mq.receiveMessage('q', 'you'), null);
  await delivery!.extendLease('1m');
  await advance(59_000);
  await delivery!.acknowledge();
});

eachStore('a handler that takes too long is told, and its message retried', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', backoff: 0 });
  const reasons: unknown[] = [];
  let tries = 0;
  await mq.createConsumer({
    id: 'c',
    queueName: 'q',
    handlerTimeout: '2s',
    handler: ({ signal }) => {
      if (++tries > 1) return null;
      return new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push((signal.reason as { code: string }).code);
          reject(signal.reason as Error);
        });
      });
    },
  });
  await mq.sendMessage('q', { payload: 1 });
  await until(() => tries === 1);
  await advance(2_001);
  await until(() => tries === 2);
  assert.deepEqual(reasons, ['TIMEOUT']);
});
