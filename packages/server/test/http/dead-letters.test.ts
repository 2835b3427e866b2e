import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf } from './client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker();
  ask = clientOf(broker);
  await ask('PUT', '/queues/graves');
  await ask('PUT', '/queues/mail', { json: { maxRetries: 0 } });
  await ask('PUT', '/queues/sms', { json: { deadLetterQueue: 'graves' } });
});
after(() => broker.close());

/** Sends messages to a queue and lets them die there. */
async function die(queue: string, count: number, reason: string): Promise<void> {
  const messages = Array.from({ length: count }, (_, payload) => ({ payload }));
  await ask('POST', `/queues/${queue}/messages/batch`, { json: { messages } });
  const { body } = await ask('POST', `/queues/${queue}/receive`, { json: { max: count } });
  const items = body.messages.map(({ receipt }: { receipt: string }) => ({
    receipt,
    reason,
    deadLetter: true,
  }));
  await ask('POST', `/queues/${queue}/reject`, { json: { items } });
}

test('dead letters are listed, summed up, sent back by where they died, and thrown away', async () => {
  await die('mail', 3, 'no such mailbox');
  await die('sms', 2, 'no such number');
  const listed = await ask('GET', '/dead-letters?limit=2');
  assert.equal(listed.body.messages.length, 2);
  assert.equal(listed.body.messages[0].deaths[0].error, 'no such mailbox');
  const rest = await ask('GET', `/dead-letters?cursor=${encodeURIComponent(listed.body.cursor)}`);
  assert.equal(rest.body.messages.length, 1);
  const { groups, complete } = (await ask('GET', '/dead-letters/summary')).body;
  assert.equal(complete, true);
  assert.deepEqual(
    groups.map((group: Record<string, unknown>) => [
      group['deadLetterQueue'],
      group['queue'],
      group['reason'],
      group['count'],
      group['error'],
    ]),
    [
      ['dead-letter', 'mail', 'rejected', 3, 'no such mailbox'],
      ['graves', 'sms', 'rejected', 2, 'no such number'],
    ],
  );
  assert.ok(groups[0].newest >= groups[0].oldest);
  const none = { json: { queue: 'sms' } };
  assert.deepEqual((await ask('POST', '/dead-letters/redrive', none)).body, {
    moved: 0,
    skipped: 0,
  });
  const some = { json: { queue: 'mail', reason: 'rejected', max: 2 } };
  assert.deepEqual((await ask('POST', '/dead-letters/redrive', some)).body, {
    moved: 2,
    skipped: 0,
  });
  assert.equal((await ask('GET', '/queues/mail')).body.ready, 2);
  const [message] = (await ask('GET', '/dead-letters?queue=graves')).body.messages;
  const one = { json: { from: 'graves', to: 'mail', ids: [message.id] } };
  assert.deepEqual((await ask('POST', '/dead-letters/redrive', one)).body, {
    moved: 1,
    skipped: 0,
  });
  assert.deepEqual((await ask('POST', '/dead-letters/purge')).body, { purged: 1 });
  const graves = { json: { queue: 'graves' } };
  assert.deepEqual((await ask('POST', '/dead-letters/purge', graves)).body, { purged: 1 });
});

test('a redrive tells its progress line by line', async () => {
  await die('mail', 600, 'x');
  const { body } = await ask('POST', '/dead-letters/redrive', {
    headers: { accept: 'application/x-ndjson' },
  });
  const lines = (body as string)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  assert.ok(lines.length > 1);
  assert.deepEqual(lines.at(-1), { moved: 600, skipped: 0, done: true });
  assert.deepEqual(lines[0], { moved: 500, skipped: 0, done: false });
});

test('what a redrive must not be', async () => {
  const nowhere = await ask('POST', '/dead-letters/redrive', { json: { from: 'nowhere' } });
  assert.deepEqual([nowhere.status, nowhere.body.code], [404, 'QUEUE_NOT_FOUND']);
  const noTarget = await ask('POST', '/dead-letters/redrive', {
    json: { to: 'nowhere' },
    headers: { accept: 'application/x-ndjson' },
  });
  assert.equal(noTarget.status, 404);
  const wrong = await ask('POST', '/dead-letters/redrive', { json: { reason: 'bored', rate: 0 } });
  assert.deepEqual(
    wrong.body.errors.map((error: { field: string }) => error.field),
    ['body.reason', 'body.rate'],
  );
});
