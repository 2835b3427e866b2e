/** Rights and locks that hold however a client comes by a queue. */
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { Broker } from '../../../src/index.ts';
import { FRAME } from '../../../src/protocols/amqp/frames.ts';
import { encodeMethod } from '../../../src/protocols/amqp/methods.ts';
import { encodeProperties, type Properties } from '../../../src/protocols/amqp/properties.ts';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import { startBroker } from '../../broker.ts';
import { frameOf, RawClient } from '../connection/raw-client.ts';

const ROOT = { user: 'root', password: 'root has a password' } as const;
const BOB = { user: 'bob', password: 'bob has a password' } as const;

let broker: Broker;

before(async () => {
  const own = ['mine*'];
  broker = await startBroker({
    amqp: { port: 0 },
    users: [
      { name: ROOT.user, password: ROOT.password, admin: true },
      {
        name: BOB.user,
        password: BOB.password,
        permissions: [{ vhost: '/', configure: own, write: own, read: own }],
      },
      {
        name: 'eve',
        password: BOB.password,
        permissions: [{ vhost: '/', configure: ['*'], write: ['*'], read: ['*'] }],
      },
    ],
  });
});
after(() => broker.close());

async function open(t: TestContext, who: { user: string; password: string }): Promise<RawClient> {
  const client = await RawClient.open(t, broker.amqpPort!, who);
  await client.openChannel(1);
  return client;
}

async function refused(client: RawClient, channel: number, code: number): Promise<string> {
  const { replyCode, replyText } = await client.expect(channel, 'channel.close');
  assert.equal(replyCode, code, replyText);
  client.method(channel, 'channel.close-ok');
  return replyText;
}

function publish(client: RawClient, routingKey: string, properties: Properties): void {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt16BE(60, 0);
  client.method(1, 'basic.publish', { routingKey });
  client.frame(FRAME.header, 1, Buffer.concat([fixed, encodeProperties(properties)]));
}

function call(path: string, method: string, body: unknown, who = ROOT as typeof BOB | typeof ROOT) {
  const credentials = Buffer.from(`${who.user}:${who.password}`).toString('base64');
  return fetch(broker.url + path, {
    method,
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

test('CC and BCC reach no queue that their sender may not write to', async (t) => {
  const root = await open(t, ROOT);
  root.method(1, 'queue.declare', { queue: 'secret' });
  await root.expect(1, 'queue.declare-ok');
  const bob = await open(t, BOB);
  for (const header of ['CC', 'BCC']) {
    publish(bob, 'mine', { headers: tableOf({ [header]: ['mine.too', 'secret'] }) });
    assert.match(await refused(bob, 1, 403), /queue 'secret'/);
    await bob.openChannel(1);
  }
  root.method(1, 'queue.declare', { queue: 'secret', passive: true });
  assert.equal((await root.expect(1, 'queue.declare-ok')).messageCount, 0);
});

test('dead letters go to the default exchange with a key that is allowed, or not at all', async (t) => {
  const bob = await open(t, BOB);
  const declare = (args: Record<string, string>): void =>
    bob.method(1, 'queue.declare', { queue: 'mine.dead', arguments: tableOf(args) });
  declare({ 'x-dead-letter-exchange': '' });
  assert.match(await refused(bob, 1, 403), /'amq\.default'/);
  await bob.openChannel(1);
  declare({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'secret' });
  assert.match(await refused(bob, 1, 403), /'secret'/);
  await bob.openChannel(1);
  declare({ 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'mine.parked' });
  await bob.expect(1, 'queue.declare-ok');

  const over = (table: object): Promise<Response> =>
    call('/api/queues/%2F/mine.http', 'PUT', { arguments: table }, BOB);
  assert.equal((await over({ 'x-dead-letter-exchange': '' })).status, 403);
  const key = { 'x-dead-letter-routing-key': 'mine.parked' };
  assert.equal((await over({ 'x-dead-letter-exchange': '', ...key })).status, 201);
});

test('a queue that is just being deleted lends nobody its rights', async (t) => {
  const bob = await open(t, BOB);
  const table = tableOf({ 'x-dead-letter-exchange': 'amq.fanout' });
  const frame = (channel: number, ...method: Parameters<typeof encodeMethod>): Buffer =>
    frameOf(FRAME.method, channel, encodeMethod(...method));
  for (const queue of ['mine.race', 'mine.other']) {
    bob.method(1, 'queue.declare', { queue });
    await bob.expect(1, 'queue.declare-ok');
  }
  const frames = [frame(1, 'queue.delete', { queue: 'mine.race' })];
  // Each comes to its declaration a little later than the one before.
  const channels = 12;
  for (let channel = 2; channel < 2 + channels; channel++) {
    await bob.openChannel(channel);
    for (let i = 2; i < channel; i++) {
      frames.push(frame(channel, 'queue.purge', { queue: 'mine.other', nowait: true }));
    }
    frames.push(frame(channel, 'queue.declare', { queue: 'mine.race', arguments: table }));
  }
  bob.send(Buffer.concat(frames));
  const answers: string[] = [];
  while (answers.length <= channels) answers.push((await bob.nextMethod()).name);
  const closes = Array<string>(channels).fill('channel.close');
  assert.deepEqual(answers.toSorted(), [...closes, 'queue.delete-ok']);
});

test('nor does an exchange, for its alternate', async (t) => {
  const bob = await open(t, BOB);
  await bob.openChannel(2);
  const plain = { exchange: 'mine.race', type: 'direct' };
  bob.method(1, 'exchange.declare', plain);
  await bob.expect(1, 'exchange.declare-ok');
  const declaration = { ...plain, arguments: tableOf({ 'alternate-exchange': 'amq.fanout' }) };
  bob.send(
    Buffer.concat([
      frameOf(FRAME.method, 1, encodeMethod('exchange.delete', { exchange: 'mine.race' })),
      frameOf(FRAME.method, 2, encodeMethod('exchange.declare', declaration)),
    ]),
  );
  const answers = [await bob.nextMethod(), await bob.nextMethod()].map(({ name }) => name);
  assert.deepEqual(answers.toSorted(), ['channel.close', 'exchange.delete-ok']);
  bob.method(2, 'channel.close-ok');
  bob.method(1, 'exchange.declare', { ...plain, passive: true });
  await refused(bob, 1, 404);
});

test('an exclusive queue is closed to others over HTTP, apart from administrators', async (t) => {
  const root = await open(t, ROOT);
  root.method(1, 'queue.declare', { queue: 'alone', exclusive: true });
  await root.expect(1, 'queue.declare-ok');
  root.publish(1, 'alone', Buffer.from('for root'));
  const eve = { ...BOB, user: 'eve' } as unknown as typeof BOB;
  const tries: [string, string, object?][] = [
    ['POST', '/queues/alone/receive', {}],
    ['GET', '/queues/alone/messages'],
    ['POST', '/queues/alone/purge', undefined],
    ['POST', '/queues/alone/pause', undefined],
    ['PATCH', '/queues/alone', { maxSize: 1 }],
    ['PUT', '/queues/alone', {}],
    ['POST', '/queues/alone/acknowledge', { receipts: ['r'] }],
    ['PUT', '/bindings', { exchange: 'amq.fanout', queue: 'alone' }],
    ['GET', '/dead-letters?queue=alone'],
    ['POST', '/dead-letters/purge', { queue: 'alone' }],
    ['DELETE', '/queues/alone?force=true'],
  ];
  for (const [method, path, body] of tries) {
    const response = await call(`/api/v1${path}`, method, body, eve);
    const { code } = (await response.json()) as { code: string };
    assert.deepEqual([response.status, code], [409, 'QUEUE_LOCKED'], `${method} ${path}`);
  }
  const get = { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' };
  const managed = await call('/api/queues/%2F/alone/get', 'POST', get, eve);
  assert.equal(managed.status, 405);
  assert.match(((await managed.json()) as { reason: string }).reason, /^cannot obtain exclusive/);

  assert.equal((await call('/api/v1/queues/alone', 'GET', undefined, eve)).status, 200);
  assert.equal((await call('/api/v1/queues/alone/messages', 'GET', undefined)).status, 200);
  root.method(1, 'queue.declare', { queue: 'alone', passive: true });
  assert.equal((await root.expect(1, 'queue.declare-ok')).messageCount, 1);
});

test('who loses the right to read a queue gets no more of it', async (t) => {
  const amy = { user: 'amy', password: 'amy has a password' };
  const allow = (read: string): Promise<Response> =>
    call('/api/permissions/%2F/amy', 'PUT', { configure: '^$', write: '^x$', read });
  await call('/api/users/amy', 'PUT', { password: amy.password, tags: '' });
  assert.equal((await allow('^shared$')).status, 201);
  const root = await open(t, ROOT);
  root.method(1, 'queue.declare', { queue: 'shared' });
  await root.expect(1, 'queue.declare-ok');
  const client = await open(t, amy);
  await client.openChannel(2);
  client.method(1, 'basic.consume', { queue: 'shared', noAck: true });
  await client.expect(1, 'basic.consume-ok');
  await allow('^$');
  assert.match(await refused(client, 1, 403), /queue 'shared'/);
  root.publish(1, 'shared', Buffer.from('secret'));
  // Its other channel, which consumes nothing, goes on.
  client.method(2, 'basic.qos');
  await client.expect(2, 'basic.qos-ok');
  client.expectNothing();
});

test('a token is not the user whose name it has', async (t) => {
  const permissions = [{ vhost: '/', configure: ['*'], write: ['*'], read: ['*'] }];
  const made = await call('/api/v1/tokens', 'POST', { name: 'bob', admin: false, permissions });
  const { secret } = (await made.json()) as { secret: string };
  const client = await open(t, { user: 'anything', password: secret });
  publish(client, 'nowhere', { userId: 'bob' });
  assert.match(await refused(client, 1, 406), /user_id property set to 'bob' but a token/);
  const seen = (await (await call('/api/connections', 'GET', undefined, BOB)).json()) as unknown[];
  assert.deepEqual(seen, []);

  const bob = await open(t, BOB);
  publish(bob, 'mine', { userId: 'bob' });
  bob.method(1, 'basic.qos');
  await bob.expect(1, 'basic.qos-ok');
});
