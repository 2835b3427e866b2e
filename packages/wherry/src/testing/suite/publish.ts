import assert from 'node:assert/strict';
import type { NewMessage, PayloadEncoding } from '../../core/driver.ts';
import type { Death } from '../../core/message.ts';
import type { AspectTests } from './aspect.ts';
import { newMessage, receiptOf, type StoredOutcome } from './fixture.ts';

/** Bodies that an encoding on the way could change. */
const TEXTS: readonly string[] = [
  '',
  '{"a":[1,2,3]}',
  'latin ÿ þ',
  '多字节',
  '🚣 \u{1F6A3}\u200D',
  'nul \u0000 and \uFEFF marks',
  'x'.repeat(300_000),
  'ÿ'.repeat(70_000),
];

/** How bytes may have come to be. */
const BINARY: readonly PayloadEncoding[] = ['bytes', 'amqp'];

export const publishTests: AspectTests = {
  'G1 a message is stored as it was given': async (t) => {
    const queue = await t.createQueue('as-given');
    const properties = {
      contentType: 'application/json',
      headers: { tenant: 'a', attempt: 1, urgent: true, none: null },
      correlationId: 'c-1',
      replyTo: 'answers',
      messageId: 'client-1',
      maxRetries: 7,
    };
    const fields = { properties, priority: 9, ttl: 5_000, groupId: 'g', deduplicationId: 'd' };
    const now = t.clock.now();
    const id = await t.send(queue, 'body', { ...fields, delay: 250, bytes: 99 });
    const { sequence, ...stored } = await t.get(id);
    assert.ok(sequence >= 0);
    assert.deepEqual(stored, {
      id,
      publishId: id,
      queueName: 'as-given',
      encoding: 'text',
      body: 'body',
      bytes: 99,
      properties,
      priority: 9,
      groupId: 'g',
      deduplicationId: 'd',
      timestamp: now,
      availableAt: now + 250,
      expiresAt: now + 250 + 5_000,
      retryCount: 0,
      deliveryCount: 0,
      deaths: [],
      parked: null,
      state: 'scheduled',
      lease: null,
    });
  },

  'G1 text comes back character by character': async (t) => {
    const queue = await t.createQueue('text');
    for (const text of TEXTS) {
      const id = await t.send(queue, text, { encoding: 'json' });
      const stored = await t.get(id);
      assert.equal(stored.body, text);
      assert.equal(stored.encoding, 'json');
    }
    assert.deepEqual(await t.takeTexts(queue), TEXTS);
  },

  'G1 bytes come back byte by byte, and belong to their holders': async (t) => {
    for (const encoding of BINARY) {
      const queue = await t.createQueue(encoding);
      const given = Uint8Array.from({ length: 256 }, (_, index) => index);
      const expected = [...given];
      const id = await t.send(queue, '', { encoding, body: given, bytes: 256 });
      given.fill(0);
      const stored = await t.get(id);
      assert.equal(stored.encoding, encoding);
      const seen = stored.body as Uint8Array;
      assert.ok(seen instanceof Uint8Array);
      assert.deepEqual([...seen], expected);
      seen.fill(0);
      assert.deepEqual([...((await t.takeOne(queue)).body as Uint8Array)], expected);
    }
  },

  'G1 texts and bytes of one batch come back as what they are': async (t) => {
    const queue = await t.createQueue('mixed');
    const given = Uint8Array.of(0x41, 0, 0xc3, 0xbc, 0xff);
    const bodies: Record<PayloadEncoding, string | Uint8Array> = {
      amqp: given,
      text: 'ü\u0000',
      bytes: given,
      json: '"ü"',
    };
    const messages = Object.entries(bodies).map(([encoding, body]) =>
      newMessage('', { encoding: encoding as PayloadEncoding, body, bytes: 5 }),
    );
    const plain = ({ encoding, body }: Pick<NewMessage, 'encoding' | 'body'>): unknown => [
      encoding,
      typeof body === 'string' ? body : [...body],
    ];
    for (const some of [messages, messages.slice(0, 1), messages.slice(2)]) {
      await t.driver.publish(some.map((message) => ({ targets: [queue], message })));
      const taken = await t.take(queue);
      // Not in any order: a queue may be spread.
      assert.deepEqual(new Set(taken.map(plain)), new Set(some.map(plain)));
    }
  },

  'G1 what was given may change later without effect': async (t) => {
    const queue = await t.createQueue('aliasing');
    const headers: Record<string, string> = { color: 'red' };
    const properties = { contentType: 'text/plain', headers };
    const id = await t.send(queue, 'a', { properties });
    headers['color'] = 'blue';
    properties.contentType = 'changed';
    const expected = { contentType: 'text/plain', headers: { color: 'red' } };
    assert.deepEqual((await t.get(id)).properties, expected);
    assert.deepEqual((await t.takeOne(queue)).properties, expected);
  },

  'ids are 32 hex digits, unique, and in order of time': async (t) => {
    const queue = await t.createQueue('ids');
    const other = await t.createQueue('ids-2');
    const ids: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      ids.push(...(await t.sendAll(queue, ['a', 'b', 'c'])));
      t.clock.advance(1);
    }
    for (const id of ids) assert.match(id, /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    assert.deepEqual(ids, ids.toSorted());
    const foreign = await t.sendAll(other, ['a', 'b', 'c']);
    assert.equal(new Set([...ids, ...foreign]).size, 18);
  },

  'an id that was given out before is kept, and stored once': async (t) => {
    const queue = await t.createQueue('pre-assigned');
    const id = 'f'.repeat(32);
    assert.equal(await t.send(queue, 'first', { id }), id);
    const again = await t.publish([queue], newMessage('second', { id }));
    assert.deepEqual(again, { status: 'duplicate', id });
    const leased = await t.takeOne(queue);
    assert.equal(leased.body, 'first');
    const whileLeased = await t.publish([queue], newMessage('third', { id }));
    assert.equal(whileLeased.status, 'duplicate');
    await t.settle(queue, leased);
    assert.equal(await t.driver.get(id), null);
  },

  'deliverAt is the moment of first availability; one in the past is now': async (t) => {
    const queue = await t.createQueue('deliver-at');
    const now = t.clock.now();
    const later = await t.send(queue, 'later', { deliverAt: now + 70, delay: 5 });
    const past = await t.send(queue, 'past', { deliverAt: now - 70, ttl: 10 });
    assert.equal((await t.get(later)).availableAt, now + 70);
    assert.equal((await t.get(past)).expiresAt, now + 10);
    assert.deepEqual(await t.takeTexts(queue), ['past']);
  },

  'a message from another store keeps its deaths': async (t) => {
    const queue = await t.createQueue('with-deaths');
    const dead = await t.createQueue('dead');
    const before = {
      queue: 'elsewhere',
      reason: 'rejected',
      time: 5,
      count: 2,
      error: 'e',
      route: { exchange: 'x', routingKeys: ['k'], toExchange: 'dlx', toRoutingKeys: ['k'] },
    } as const;
    const deaths = structuredClone([before]) as Death[];
    const id = await t.send(queue, 'a', { deaths });
    (deaths[0]!.route!.routingKeys as string[]).push('added');
    deaths.length = 0;
    assert.deepEqual((await t.get(id)).deaths, [before]);
    const receipt = receiptOf(queue, await t.takeOne(queue));
    const death = { queue: 'with-deaths', reason: 'expired' } as const;
    await t.driver.move([{ receipt, targets: [dead], death }]);
    const added = { ...death, time: t.clock.now(), count: 1 };
    assert.deepEqual((await t.get(id)).deaths, [before, added]);
  },

  "G9 the queue's messageTtl holds where the message's own is longer or none": async (t) => {
    const queue = await t.createQueue('queue-ttl', { messageTtl: 100 });
    const now = t.clock.now();
    const none = await t.send(queue, 'none');
    const longer = await t.send(queue, 'longer', { ttl: 101, delay: 10 });
    const shorter = await t.send(queue, 'shorter', { ttl: 99 });
    assert.equal((await t.get(none)).expiresAt, now + 100);
    assert.equal((await t.get(longer)).expiresAt, now + 110);
    assert.equal((await t.get(shorter)).expiresAt, now + 99);
  },

  'G13 each item is answered for itself': async (t) => {
    const open = await t.createQueue('open');
    const full = await t.createQueue('full', { maxSize: 1 });
    const gone = await t.createQueue('gone');
    await t.deleteQueue(gone);
    await t.send(full, 'fills it');
    const message = newMessage('m');
    const outcomes = await t.driver.publish([
      { targets: [full], message },
      { targets: [open], message },
      { targets: [gone], message },
      { targets: [open], message },
    ]);
    const [first, second, third, fourth] = outcomes;
    assert.deepEqual(first, { status: 'full', queue: 'full', limit: 'maxSize' });
    assert.equal(second?.status, 'stored');
    assert.deepEqual(third, { status: 'missing', queue: 'gone' });
    assert.equal(fourth?.status, 'stored');
    assert.equal((await t.states(open)).ready, 2);
  },

  'G13 an atomic batch is stored whole': {
    needs: 'atomicBatch',
    body: async (t) => {
      const queue = await t.createQueue('atomic', { maxSize: 3 });
      const items = ['a', 'b', 'c'].map((text) => ({
        targets: [queue],
        message: newMessage(text),
      }));
      const outcomes = await t.driver.publish(items, { atomic: true });
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['stored', 'stored', 'stored'],
      );
      assert.deepEqual(await t.takeTexts(queue), ['a', 'b', 'c']);
    },
  },

  'G13 an atomic batch with a refused item changes nothing': {
    needs: 'atomicBatch',
    body: async (t) => {
      const window = { deduplicationWindow: 1_000 };
      const dead = await t.createQueue('dead');
      const dropping = await t.createQueue('dropping', {
        ...window,
        maxSize: 1,
        overflow: 'drop-oldest',
        evictTo: dead,
      });
      const full = await t.createQueue('full', { ...window, maxSize: 1 });
      await t.send(dropping, 'oldest', { groupId: 'g' });
      const items = [dropping, full, full].map((queue, index) => ({
        targets: [queue],
        message: newMessage(`item ${index}`, { deduplicationId: `d${index}` }),
      }));
      const outcomes = await t.driver.publish(items, { atomic: true });
      const refusal = { status: 'full', queue: 'full', limit: 'maxSize' };
      assert.deepEqual(outcomes, [refusal, refusal, refusal]);
      assert.deepEqual(await t.states(full), { ready: 0, scheduled: 0, leased: 0 });
      assert.deepEqual(await t.states(dead), { ready: 0, scheduled: 0, leased: 0 });
      assert.equal((await t.publish([full], items[1]!.message)).status, 'stored');
      assert.deepEqual(await t.takeTexts(dropping), ['oldest']);
    },
  },

  'a fan-out gives each queue a copy with an id of its own': async (t) => {
    const queues = [await t.createQueue('one'), await t.createQueue('two')];
    const outcome = (await t.publish(queues, newMessage('copied'))) as StoredOutcome;
    assert.equal(outcome.status, 'stored');
    assert.equal(outcome.ids?.length, 2);
    assert.notEqual(outcome.ids[0], outcome.ids[1]);
    assert.equal(outcome.id, outcome.ids[0]);
    for (const [index, queue] of queues.entries()) {
      const copy = await t.takeOne(queue);
      assert.equal(copy.id, outcome.ids[index]);
      assert.equal(copy.publishId, outcome.id);
      assert.equal(copy.queueName, queue.name);
      assert.equal(copy.body, 'copied');
    }
  },

  'G11 a call keeps a group in order, whichever other queues its messages go to': async (t) => {
    const one = await t.createQueue('one');
    const two = await t.createQueue('two');
    const three = await t.createQueue('three');
    const message = (text: string) => newMessage(text, { groupId: 'g' });
    await t.driver.publish([
      { targets: [one, three], message: message('first') },
      { targets: [three], message: message('second') },
      { targets: [two, three], message: message('third') },
    ]);
    for (const text of ['first', 'second', 'third']) {
      const next = await t.takeOne(three);
      assert.equal(next.body, text);
      await t.settle(three, next);
    }
  },

  'a fan-out reaches all of its queues or none': {
    needs: 'atomicFanOut',
    body: async (t) => {
      const open = await t.createQueue('open');
      const full = await t.createQueue('full', { maxSize: 0 });
      const gone = await t.createQueue('gone');
      await t.deleteQueue(gone);
      const message = newMessage('refused');
      assert.equal((await t.publish([open, full], message)).status, 'full');
      assert.equal((await t.publish([open, gone], message)).status, 'missing');
      assert.deepEqual(await t.states(open), { ready: 0, scheduled: 0, leased: 0 });
    },
  },
};
