import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type MessageQueueSystem,
  allocateContent,
  brokerPort,
  newAmqpMessage,
} from '../../src/index.ts';
import { mergeQueueSettings } from '../../src/core/queue-settings.ts';
import { eachStore, until } from './fixture.ts';

const payloadsOf = async (mq: MessageQueueSystem, queue: string): Promise<unknown[]> =>
  (await mq.browse(queue)).messages.map(({ message }) => message.payload);

async function killNext(mq: MessageQueueSystem, queue: string): Promise<void> {
  const delivery = await mq.receiveMessage(queue, 'killer');
  await delivery!.deadLetter('dead');
}

/** A message as an AMQP client publishes it. */
async function publish(mq: MessageQueueSystem, exchange: string, key: string): Promise<void> {
  const port = brokerPort(mq);
  const { body, payloadAt } = allocateContent(exchange, key, Buffer.from([0, 0]), 2);
  body.write('hi', payloadAt);
  const queues = port.route(exchange, [key], null);
  await new Promise<void>((resolve, reject) => {
    port.publish(queues, newAmqpMessage(body, payloadAt), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

eachStore('dead letters go through the exchange, by the key of the queue', async ({ open }) => {
  const mq = await open();
  await mq.createExchange({ name: 'failures', type: 'topic', internal: true });
  for (const name of ['mail', 'all', 'other']) await mq.createQueue({ name });
  await mq.bind({ exchange: 'failures', queue: 'mail', routingKey: '#.mail' });
  await mq.bind({ exchange: 'failures', queue: 'all', routingKey: '#' });
  await mq.bind({ exchange: 'failures', queue: 'other', routingKey: 'other' });
  await mq.createQueue({
    name: 'work',
    deadLetterExchange: 'failures',
    deadLetterRoutingKey: 'shop.mail',
  });
  await mq.sendMessage('work', { payload: 1 });
  await killNext(mq, 'work');
  assert.deepEqual(await payloadsOf(mq, 'mail'), [1]);
  assert.deepEqual(await payloadsOf(mq, 'all'), [1]);
  assert.deepEqual(await payloadsOf(mq, 'other'), []);
  const [dead] = (await mq.browse('mail')).messages;
  assert.deepEqual(dead!.deaths[0]!.route, {
    exchange: '',
    routingKeys: ['work'],
    toExchange: 'failures',
    toRoutingKeys: ['shop.mail'],
  });
  assert.equal((await mq.getQueueInfo('work')).messageCount, 0);
});

eachStore('without a key of the queue, the key of the last publish counts', async ({ open }) => {
  const mq = await open();
  await mq.createExchange({ name: 'in', type: 'fanout' });
  await mq.createExchange({ name: 'dead', type: 'direct' });
  await mq.createQueue({ name: 'work', deadLetterExchange: 'dead' });
  await mq.createQueue({ name: 'red' });
  await mq.bind({ exchange: 'in', queue: 'work' });
  await mq.bind({ exchange: 'dead', queue: 'red', routingKey: 'red' });
  await publish(mq, 'in', 'red');
  await killNext(mq, 'work');
  const [dead] = (await mq.browse('red')).messages;
  assert.equal(Buffer.from(dead!.message.payload as Uint8Array).toString(), 'hi');
  const { exchange, routingKeys } = dead!.deaths[0]!.route!;
  assert.deepEqual([exchange, routingKeys], ['in', ['red']]);
});

eachStore(
  'what no queue takes is gone; an exchange that is missing takes nothing',
  async ({ open }) => {
    const mq = await open();
    await mq.createExchange({ name: 'empty', type: 'fanout' });
    for (const name of ['empty', 'missing']) {
      await mq.createQueue({ name: `to-${name}`, deadLetterExchange: name });
      await mq.sendMessage(`to-${name}`, { payload: 1 });
      await killNext(mq, `to-${name}`);
      assert.equal((await mq.getQueueInfo(`to-${name}`)).messageCount, 0);
    }
    assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 0);
  },
);

eachStore(
  'an expired message goes round once, a rejected one as often as it is',
  async ({ open, advance }) => {
    const mq = await open();
    await mq.createQueue({ name: 'retry', deadLetterExchange: '', deadLetterRoutingKey: 'retry' });
    await mq.sendMessage('retry', { payload: 1, ttl: 1_000 });
    await advance(1_100);
    await until(async () => (await mq.getQueueInfo('retry')).messageCount === 0);
    await mq.sendMessage('retry', { payload: 2 });
    for (const count of [1, 2]) {
      await killNext(mq, 'retry');
      const [again] = (await mq.browse('retry')).messages;
      assert.equal(again!.deaths[0]!.count, count);
    }
  },
);

eachStore('drop-oldest puts out through the exchange', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'dead' });
  await mq.createQueue({
    name: 'bounded',
    maxSize: 1,
    overflow: 'drop-oldest',
    deadLetterExchange: '',
    deadLetterRoutingKey: 'dead',
  });
  for (const payload of [1, 2]) await mq.sendMessage('bounded', { payload });
  assert.deepEqual(await payloadsOf(mq, 'dead'), [1]);
  assert.deepEqual(await payloadsOf(mq, 'bounded'), [2]);
});

eachStore(
  'each message that is put out goes by its own key, and order is kept',
  async ({ open }) => {
    const mq = await open();
    await mq.createExchange({ name: 'dead', type: 'direct' });
    await mq.createExchange({ name: 'in', type: 'fanout' });
    for (const name of ['even', 'odd', 'all']) await mq.createQueue({ name });
    for (const name of ['even', 'odd']) {
      await mq.bind({ exchange: 'dead', queue: name, routingKey: name });
      await mq.bind({ exchange: 'dead', queue: 'all', routingKey: name });
    }
    const bounds = { maxSize: 3, overflow: 'drop-oldest', deadLetterExchange: 'dead' } as const;
    await mq.createQueue({ name: 'bounded', boundOn: 'waiting', ...bounds });
    await mq.bind({ exchange: 'in', queue: 'bounded' });
    const keys = Array.from({ length: 9 }, (_, i) => (i % 2 === 0 ? 'even' : 'odd'));
    await Promise.all(keys.map((key) => publish(mq, 'in', key)));
    const sizes = await Promise.all(
      ['bounded', 'even', 'odd', 'all'].map(async (name) => (await mq.getQueueInfo(name)).ready),
    );
    assert.deepEqual(sizes, [3, 3, 3, 6]);
    const left = (await mq.browse('bounded')).messages;
    const sequence = left.map(({ timestamp, id }) => `${timestamp} ${id}`);
    assert.deepEqual(sequence, sequence.toSorted());
    const [dead] = (await mq.browse('odd')).messages;
    assert.deepEqual(
      dead!.deaths.map(({ queue, reason, route }) => [queue, reason, route?.toRoutingKeys]),
      [['bounded', 'overflow', ['odd']]],
    );
  },
);

eachStore('what is larger than the bound puts out all there is, and itself', async ({ open }) => {
  const mq = await open();
  const bounds = { maxBytes: 10, overflow: 'drop-oldest', deadLetterExchange: 'none' } as const;
  await mq.createQueue({ name: 'small', ...bounds });
  await mq.sendMessage('small', { payload: '12345' });
  await mq.sendMessage('small', { payload: '67890' });
  assert.deepEqual(await payloadsOf(mq, 'small'), ['12345', '67890']);
  await mq.sendMessage('small', { payload: 'abcdef' });
  assert.deepEqual(await payloadsOf(mq, 'small'), ['abcdef']);
  await mq.sendMessage('small', { payload: '1234567890!' });
  assert.deepEqual(await payloadsOf(mq, 'small'), []);
});

eachStore(
  'the newest stay, however many are sent at once, and dead letters have an order',
  async ({ open }) => {
    const mq = await open();
    await mq.createQueue({ name: 'dead' });
    const bounds = { maxSize: 10, overflow: 'drop-oldest', deadLetterExchange: '' } as const;
    await mq.createQueue({ name: 'bounded', ...bounds, deadLetterRoutingKey: 'dead' });
    const sent = Array.from({ length: 1_000 }, (_, i) => i);
    await Promise.all(sent.map((payload) => mq.sendMessage('bounded', { payload })));
    assert.deepEqual(await payloadsOf(mq, 'bounded'), sent.slice(-10));
    const dead = await mq.browse('dead', { limit: 1_000 });
    assert.deepEqual(
      dead.messages.map(({ message }) => message.payload),
      sent.slice(0, -10),
    );
  },
);

eachStore('dead letters trim the queue that they come to, and so on', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'last' });
  const bounds = { maxSize: 2, overflow: 'drop-oldest', deadLetterExchange: '' } as const;
  await mq.createQueue({ name: 'second', ...bounds, deadLetterRoutingKey: 'last' });
  await mq.createQueue({ name: 'first', deadLetterExchange: '', deadLetterRoutingKey: 'second' });
  for (let payload = 0; payload < 5; payload++) {
    await mq.sendMessage('first', { payload });
    await killNext(mq, 'first');
  }
  await until(async () => (await mq.getQueueInfo('last')).ready === 3);
  assert.deepEqual(await payloadsOf(mq, 'second'), [3, 4]);
  assert.deepEqual(await payloadsOf(mq, 'last'), [0, 1, 2]);
});

eachStore('a queue made again under its name can be bound as before', async ({ open }) => {
  const mq = await open();
  await mq.createExchange({ name: 'in', type: 'direct' });
  for (let round = 0; round < 3; round++) {
    await mq.createQueue({ name: 'q' });
    await mq.bind({ exchange: 'in', queue: 'q', routingKey: 'k' });
    assert.equal((await mq.publish('in', 'k', { payload: round })).queues.length, 1);
    await mq.deleteQueue('q', { force: true });
    assert.deepEqual(mq.listBindings(), []);
  }
});

eachStore('discardDeadLetters: what dies is dropped, and counted', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'careless', discardDeadLetters: true });
  await mq.sendMessage('careless', { payload: 1 });
  await killNext(mq, 'careless');
  assert.equal((await mq.getQueueInfo('dead-letter')).messageCount, 0);
  const { messageCount, counters } = await mq.getQueueInfo('careless');
  assert.deepEqual([messageCount, counters.dropped], [0, 1]);
});

eachStore('what cannot be read is kept, whatever becomes of others', async ({ open }) => {
  const mq = await open();
  const port = brokerPort(mq);
  await mq.createExchange({ name: 'nowhere', type: 'fanout' });
  await mq.createQueue({ name: 'careless', discardDeadLetters: true });
  await mq.createQueue({
    name: 'lost',
    discardDeadLetters: true,
    deadLetterExchange: 'nowhere',
  });
  for (const name of ['careless', 'lost']) {
    await mq.sendMessage(name, { payload: name });
    const request = { consumerId: 'c', max: 1, leaseDuration: 60_000, bound: true };
    const { messages } = await port.take(name, request);
    await new Promise<void>((resolve, reject) => {
      port.setAside(messages[0]!, new Error('odd'), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }
  assert.deepEqual(await payloadsOf(mq, 'dead-letter'), ['careless', 'lost']);
  const [dead] = (await mq.browse('dead-letter')).messages;
  assert.deepEqual([dead!.deaths[0]!.reason, dead!.deaths[0]!.error], ['invalid', 'odd']);
});

test('settings that contradict each other are refused', () => {
  const both = { deadLetterQueue: 'a', deadLetterExchange: 'b' };
  assert.throws(() => mergeQueueSettings(both), /exclude each other/);
  assert.throws(() => mergeQueueSettings({ deadLetterRoutingKey: 'k' }), /no use without/);
  assert.throws(() => mergeQueueSettings({ maxPriority: 256 }), /maxPriority is 256/);
});
