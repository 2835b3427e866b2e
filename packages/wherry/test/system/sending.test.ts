import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type } from 'arktype';
import * as v from 'valibot';
import * as z from 'zod';
import {
  type Message,
  MessageQueueSystem,
  QueueFullError,
  SerializationError,
  ValidationError,
} from '../../src/index.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { eachStore, until } from './fixture.ts';

const ROUND_TRIPS: [string, unknown][] = [
  ['an object', { a: [1, 'ä', null, true, { b: 1.5 }] }],
  ['null', null],
  ['a number', 42],
  ['an empty string', ''],
  ['a string that looks like JSON', '{"a":1}'],
  ['a string beyond latin-1', 'naïve 🦜 \u0000'],
  ['bytes', new Uint8Array([0, 255, 128])],
  ['no bytes', new Uint8Array(0)],
  ['a __proto__ key', JSON.parse('{"__proto__":{"x":1}}')],
];

eachStore('payloads come out as they went in', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  for (const [what, payload] of ROUND_TRIPS) {
    await mq.sendMessage('q', { payload });
    const delivery = await mq.receiveMessage('q', 'me');
    const got = delivery!.payload;
    if (payload instanceof Uint8Array)
      assert.deepEqual(new Uint8Array(got as never), payload, what);
    else assert.deepEqual(got, payload, what);
    await delivery!.acknowledge();
  }
});

const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;
const REFUSED: [string, unknown, RegExp][] = [
  ['a Date', { at: new Date(0) }, /payload\.at/],
  ['a bigint', { n: [1n] }, /payload\.n\[0\]/],
  ['NaN', { n: Number.NaN }, /NaN|null/],
  ['a Map', new Map(), /Map/],
  ['nested bytes', { b: new Uint8Array(1) }, /Uint8Array/],
  ['a function', { f() {} }, /function/],
  ['undefined', undefined, /undefined/],
  ['undefined in an array', [undefined], /undefined/],
  ['a cycle', cyclic, /cycle/],
  ['a toJSON', new URL('http://x'), /toJSON|URL/],
  ['a lone surrogate', '\ud800', /surrogate/],
];

eachStore('payloads that JSON would change are refused, by place', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  for (const [what, payload, message] of REFUSED) {
    await assert.rejects(
      mq.sendMessage('q', { payload }),
      (error: Error) => {
        assert.ok(error instanceof SerializationError, what);
        assert.match(error.message, message, what);
        return true;
      },
      what,
    );
  }
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
});

const WRONG: [string, Partial<Message>, object?][] = [
  ['priority', { priority: 256 }],
  ['fractional priority', { priority: 1.5 }],
  ['ttl', { ttl: -1 }],
  ['a bigint as ttl', { ttl: 5n as never }],
  ['NaN as delay', { delay: Number.NaN }],
  ['delay and deliverAt', { delay: 1, deliverAt: 5 }],
  ['deliverAt', { deliverAt: new Date(Number.NaN) }],
  ['group', { groupId: '' }],
  ['long dedup id', { deduplicationId: 'x'.repeat(300) }],
  ['header value', { headers: { a: {} as never } }],
  ['header count', { headers: Object.fromEntries(['a', 'b', 'c', 'd'].map((k) => [k, 1])) }],
  ['header bytes', { headers: { a: 'x'.repeat(200) } }],
  ['unknown field', { prority: 1 } as never],
  ['unknown field after a known one', { priority: 1, dealy: 1 } as never],
  ['payload size', { payload: 'x'.repeat(1_001) }],
];

eachStore('messages outside the limits are refused and lose nothing', async ({ open }) => {
  const mq = await open({ limits: { payloadBytes: 1_000, headerCount: 3, headerBytes: 100 } });
  await mq.createQueue({ name: 'q' });
  for (const [what, message] of WRONG) {
    const sending = mq.sendMessage('q', { payload: 1, ...message });
    await assert.rejects(sending, ValidationError, what);
  }
  await assert.rejects(mq.sendMessage('q', 'text' as never), ValidationError);
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
});

eachStore('properties and headers come with the message', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  const message = {
    payload: 'x',
    contentType: 'text/x',
    headers: { a: 1, b: 'ä', c: null, d: false },
    priority: 9,
    correlationId: 'c',
    replyTo: 'r',
    messageId: 'own',
    maxRetries: 1,
    groupId: 'g',
    deduplicationId: 'd',
  };
  await mq.sendMessage('q', message);
  const delivery = await mq.receiveMessage('q', 'me');
  assert.deepEqual(delivery!.message, message);
});

eachStore('a batch answers per item, in order', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxSize: 3 });
  const messages: Message[] = [
    { payload: 1, deduplicationId: 'a' },
    { payload: 2n },
    { payload: 3, deduplicationId: 'a' },
    { payload: 4 },
    { payload: 5 },
    { payload: 6 },
  ];
  const results = await mq.sendBatch('q', messages);
  assert.deepEqual(
    results.map((result) => (result.ok ? (result.duplicate ? 'twice' : 'ok') : result.error.code)),
    ['ok', 'SERIALIZATION', 'twice', 'ok', 'ok', 'QUEUE_FULL'],
  );
  assert.equal((results[0] as { id: string }).id, (results[2] as { id: string }).id);
  const refused = await mq.sendBatch('q', [{ payload: 7 }], { atomic: true });
  assert.equal(refused[0]!.ok, false);
});

eachStore('an atomic batch is all or none', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxSize: 2 });
  const three = [1, 2, 3].map((payload) => ({ payload }));
  const refused = await mq.sendBatch('q', three, { atomic: true });
  assert.ok(refused.every((result) => !result.ok));
  assert.equal((await mq.getQueueInfo('q')).messageCount, 0);
  const stored = await mq.sendBatch('q', three.slice(1), { atomic: true });
  assert.ok(stored.every((result) => result.ok));
});

eachStore('G12 the second send of a deduplicationId answers the first id', async (fixture) => {
  const { open, clock } = fixture;
  const mq = await open();
  await mq.createQueue({ name: 'q', deduplicationWindow: '10s' });
  const message = { payload: 1, deduplicationId: 'once' };
  const first = await mq.sendMessage('q', message);
  assert.equal(await mq.sendMessage('q', message), first);
  const published = await mq.publish('', 'q', message);
  assert.deepEqual([published.id, published.duplicate], [first, true]);
  clock.advance(10_001);
  assert.notEqual(await mq.sendMessage('q', message), first);
});

eachStore('G8 overflow: reject names the queue and the limit', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxBytes: 10 });
  await mq.sendMessage('q', { payload: '12345678' });
  await assert.rejects(mq.sendMessage('q', { payload: '123' }), (error: Error) => {
    assert.ok(error instanceof QueueFullError);
    assert.match(error.message, /'q'.*maxBytes 10/);
    return true;
  });
});

eachStore('G8 overflow: drop-oldest makes room, and tells', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'lost' });
  await mq.createQueue({
    name: 'q',
    maxSize: 2,
    overflow: 'drop-oldest',
    deadLetterQueue: 'lost',
  });
  const dropped: unknown[] = [];
  mq.events.on('dropped', (event) => dropped.push(event));
  const ids = [];
  for (const payload of ['a', 'b', 'c']) ids.push(await mq.sendMessage('q', { payload }));
  assert.deepEqual(dropped, [{ queue: 'q', id: ids[0], movedTo: 'lost' }]);
  const [dead] = (await mq.deadLetterQueue.list('lost')).messages;
  assert.equal(dead!.message.payload, 'a');
  assert.equal(dead!.deaths[0]!.reason, 'overflow');
});

eachStore('G8 overflow: block waits for room, until the deadline', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxSize: 1, overflow: 'block' });
  await mq.sendMessage('q', { payload: 'first' });
  let stored = false;
  const blocked = mq.sendMessage('q', { payload: 'second' }).then(() => (stored = true));
  await advance(100);
  assert.equal(stored, false);
  const delivery = await mq.receiveMessage('q', 'me');
  await delivery!.acknowledge();
  await blocked;
  const late = mq.sendMessage('q', { payload: 'third' }, { blockTimeout: '2s' });
  late.catch(() => {});
  await advance(1_999);
  await advance(5_000);
  await assert.rejects(late, QueueFullError);
  const controller = new AbortController();
  const aborted = mq.sendMessage('q', { payload: 'x' }, { signal: controller.signal });
  await advance(10);
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
});

const SCHEMAS = {
  zod: z.object({ to: z.string() }),
  valibot: v.object({ to: v.string() }),
  arktype: type({ to: 'string' }),
  'an asynchronous zod': z.object({ to: z.string() }).refine(async ({ to }) => to !== 'nobody'),
};

for (const [name, schema] of Object.entries(SCHEMAS)) {
  eachStore(`a schema (${name}) types payloads and refuses others`, async ({ open }) => {
    const mq = await open();
    const queue = await mq.createQueue({ name: 'q', schema });
    await mq.sendMessage(queue, { payload: { to: 'ada' } });
    const delivery = await mq.receiveMessage(queue, 'me');
    // The type comes from the schema: `to` is a string without a cast.
    assert.equal(delivery!.payload.to.toUpperCase(), 'ADA');
    const wrong = mq.sendMessage('q', { payload: { to: 5 } });
    await assert.rejects(wrong, /queue 'q' takes: payload\.to/);
  });
}

eachStore('what the schema makes of a payload is what the handler gets', async ({ open }) => {
  const mq = await open();
  const schema = z.object({ n: z.string().transform(Number), d: z.string().default('x') });
  const queue = await mq.createQueue({ name: 'q', schema });
  // Producers give the schema's input, consumers get its output: both are typed.
  await mq.sendMessage(queue, { payload: { n: '5' } });
  const delivery = await mq.receiveMessage(queue, 'me');
  assert.deepEqual(delivery!.payload, { n: 5, d: 'x' });
});

eachStore(
  'a stored payload that the schema refuses is dead-lettered, with why',
  async (fixture) => {
    const mq = await fixture.open();
    await mq.createQueue({ name: 'q' });
    await mq.sendMessage('q', { payload: { to: 5 } });
    await mq.createQueue({ name: 'q', schema: z.object({ to: z.string() }) });
    assert.equal(await mq.receiveMessage('q', 'me'), null);
    await until(async () => (await mq.getQueueInfo('dead-letter')).ready === 1);
    const [dead] = (await mq.deadLetterQueue.list()).messages;
    assert.equal(dead!.deaths[0]!.reason, 'invalid');
    assert.match(dead!.deaths[0]!.error!, /payload\.to/);
  },
);

test('sends that are outstanding together are one call of the driver', async () => {
  const clock = new ManualClock();
  const driver = createMemoryDriver({ clock });
  const sizes: number[] = [];
  const publish = driver.publish.bind(driver);
  driver.publish = (items, options) => {
    sizes.push(items.length);
    return publish(items, options);
  };
  const mq = await MessageQueueSystem.open({ storage: driver, clock });
  await mq.createQueue({ name: 'q' });
  await Promise.all(Array.from({ length: 300 }, (_, i) => mq.sendMessage('q', { payload: i })));
  assert.deepEqual(sizes, [300]);
  await mq.sendMessage('q', { payload: 'alone' });
  assert.deepEqual(sizes, [300, 1]);
  await mq.close();
});

eachStore('after close, sends are refused', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q' });
  await mq.close();
  await assert.rejects(mq.sendMessage('q', { payload: 1 }), { code: 'CLOSED' });
});
