import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AmqpMessageOptions,
  type MessageQueueSystem,
  type NewMessage,
  allocateContent,
  brokerPort,
  newAmqpMessage,
  readContent,
} from '../../src/index.ts';
import { eachStore } from './fixture.ts';

/** Flags, then what they name, as in a content header frame. */
const PROPERTIES = Buffer.concat([
  Buffer.from([0b1010_1110, 0b1000_0000]),
  short('application/json'),
  table([
    [short('text'), 'S', long(Buffer.from('ä'))],
    [short('whole'), 'I', Buffer.from([255, 255, 255, 254])],
    [short('deep'), 'F', long(Buffer.alloc(0))],
    [short('yes'), 't', Buffer.from([1])],
    [short('none'), 'V', Buffer.alloc(0)],
    [short('__proto__'), 'S', long(Buffer.from('own'))],
  ]),
  Buffer.from([7]),
  short('correlated'),
  short('answers'),
  short('my-id'),
]);

function short(text: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
}

function long(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function table(fields: readonly (readonly [Buffer, string, Buffer])[]): Buffer {
  return long(
    Buffer.concat(fields.flatMap(([name, type, value]) => [name, Buffer.from(type), value])),
  );
}

function contentOf(payload: string, properties: Uint8Array = PROPERTIES): Buffer {
  const bytes = Buffer.from(payload);
  const { body, payloadAt } = allocateContent('shop', 'order.new', properties, bytes.length);
  body.set(bytes, payloadAt);
  return body;
}

function messageOf(body: Buffer, options?: AmqpMessageOptions): NewMessage {
  return newAmqpMessage(body, body.length - readContent(body).payload.length, options);
}

function publish(mq: MessageQueueSystem, queues: string[], message: NewMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    brokerPort(mq).publish(queues, message, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

test('a content gives back what it was made of, and refuses what is none', () => {
  const { exchange, routingKey, properties, payload } = readContent(contentOf('{"a":1}'));
  assert.deepEqual([exchange, routingKey, payload.toString()], ['shop', 'order.new', '{"a":1}']);
  assert.ok(properties.equals(PROPERTIES), 'the properties are byte for byte the same');
  assert.throws(() => allocateContent('x'.repeat(256), '', PROPERTIES, 0), RangeError);
  const whole = contentOf('');
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => readContent(whole.subarray(0, length)), { code: 'DESERIALIZATION' });
  }
});

eachStore(
  'a dead-letter exchange without a key goes by the key and the header CC',
  async ({ open }) => {
    const mq = await open();
    for (const name of ['order.new', 'copied', 'blind']) await mq.createQueue({ name });
    await mq.createQueue({ name: 'q', deadLetterExchange: '' });
    const keys = (...names: string[]): Buffer =>
      long(Buffer.concat(names.flatMap((name) => [Buffer.from('S'), long(Buffer.from(name))])));
    const headers = Buffer.concat([
      Buffer.from([0x20, 0]),
      table([
        [short('BCC'), 'A', keys('blind')],
        [short('CC'), 'A', keys('copied', 'nowhere')],
      ]),
    ]);
    await publish(mq, ['q'], messageOf(contentOf('x', headers)));
    const delivery = await mq.receiveMessage('q', 'me');
    await delivery!.deadLetter();
    const ready = ['order.new', 'copied', 'blind'].map((name) => mq.getQueueInfo(name));
    assert.deepEqual(
      (await Promise.all(ready)).map((info) => info.ready),
      [1, 1, 0],
    );
  },
);

eachStore('everybody can consume what an AMQP client published', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  await publish(mq, ['q'], messageOf(contentOf('{"a":1}'), { priority: 7 }));
  const delivery = await mq.receiveMessage('q', 'me');
  const { deduplicationId: _none, ...message } = delivery!.message;
  assert.deepEqual(message, {
    payload: { a: 1 },
    priority: 7,
    contentType: 'application/json',
    headers: Object.fromEntries([
      ['text', 'ä'],
      ['whole', -2],
      ['yes', true],
      ['none', null],
      ['__proto__', 'own'],
    ]),
    correlationId: 'correlated',
    replyTo: 'answers',
    messageId: 'my-id',
  });
  await delivery!.acknowledge();
});

eachStore(
  'a body that is no content is bytes, and its death goes by the name of its queue',
  async ({ open }) => {
    const mq = await open();
    await mq.createExchange({ name: 'dead', type: 'direct' });
    for (const name of ['q', 'buried']) {
      await mq.createQueue({ name, ...(name === 'q' && { deadLetterExchange: 'dead' }) });
    }
    await mq.bind({ exchange: 'dead', queue: 'buried', routingKey: 'q' });
    for (const body of [Buffer.from('none'), Buffer.alloc(0)]) {
      await publish(mq, ['q'], newAmqpMessage(body, 0));
    }
    const options = { consumerId: 'me', leaseDuration: 60_000, bound: true, max: 10 };
    const port = brokerPort(mq);
    const { messages } = await port.take('q', options);
    for (const held of messages) await called((done) => port.fail(held, 'rejected', done));
    const { ready } = await mq.getQueueInfo('buried');
    assert.deepEqual([messages.length, ready], [2, 2]);
    assert.throws(() => readContent('text' as unknown as Uint8Array), { code: 'DESERIALIZATION' });
  },
);

eachStore('a payload that is not what its type says comes as bytes', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const text = Buffer.concat([Buffer.from([0x80, 0]), short('text/plain; charset=utf-8')]);
  for (const [payload, properties] of [
    ['not json', PROPERTIES],
    ['words', text],
    ['bytes', Buffer.from([0, 0])],
  ] as const) {
    await publish(mq, ['q'], messageOf(contentOf(payload, properties)));
  }
  const deliveries = await mq.receiveMessage('q', 'me', { max: 3 });
  const payloads = deliveries.map(({ payload }) =>
    payload instanceof Uint8Array ? Buffer.from(payload) : payload,
  );
  assert.deepEqual(payloads, [Buffer.from('not json'), 'words', Buffer.from('bytes')]);
});

eachStore('the port leases, gives back, fails and settles without decoding', async ({ open }) => {
  const mq = await open();
  const port = brokerPort(mq);
  await mq.createQueue({ name: 'q', discardDeadLetters: true });
  const body = contentOf('x');
  for (let i = 0; i < 3; i++) await publish(mq, ['q'], messageOf(body));
  const options = { consumerId: 'me', leaseDuration: 60_000, bound: true };
  const { messages } = await port.take('q', { ...options, max: 10 });
  assert.deepEqual(
    messages.map(({ stored }) => Buffer.from(stored.body as Uint8Array).equals(body)),
    [true, true, true],
  );
  assert.deepEqual(await port.extend(messages, 120_000), []);
  const [first, second, third] = messages;
  await called((done) => port.settle(first!, done));
  await called((done) => port.giveBack(second!, 'requeue', done));
  await called((done) => port.fail(third!, 'rejected', done));
  const again = await port.take('q', { ...options, max: 10 });
  assert.deepEqual(
    again.messages.map(({ id, stored }) => [id, stored.deliveryCount, stored.retryCount]),
    [[second!.id, 2, 0]],
  );
  await assert.rejects(
    called((done) => port.settle(second!, done)),
    { code: 'LEASE_LOST' },
  );
  assert.deepEqual(await port.extend([second!], 1_000), [second]);
});

eachStore('what cannot be published answers with the reason', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'full', maxSize: 1 });
  await publish(mq, ['full'], messageOf(contentOf('1')));
  await assert.rejects(publish(mq, ['full'], messageOf(contentOf('2'))), {
    code: 'QUEUE_FULL',
  });
  await assert.rejects(publish(mq, ['none'], messageOf(contentOf('2'))), {
    code: 'QUEUE_NOT_FOUND',
  });
  assert.throws(() => brokerPort({}), { code: 'VALIDATION' });
});

function called(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}
