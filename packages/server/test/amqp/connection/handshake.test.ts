import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../../src/index.ts';
import { PROTOCOL_HEADER } from '../../../src/protocols/amqp/frames.ts';
import { encodeTable, plainTable, tableOf } from '../../../src/protocols/amqp/table.ts';
import { startBroker } from '../../broker.ts';
import { startAmqp } from './amqp-fixture.ts';
import { type LoginOptions, RawClient } from './raw-client.ts';

const PASSWORD = 'correct horse';
const ada: LoginOptions = { user: 'ada', password: PASSWORD };
const REFUSED =
  'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. ' +
  'For details see the broker logfile.';

/** Of this password, so that the throttle of names and addresses is of no concern. */
let broker: Broker;

before(async () => {
  broker = await startBroker({
    amqp: { port: 0 },
    limits: { loginsPerMinute: 10_000 },
    users: [
      { name: 'root', password: PASSWORD, admin: true },
      { name: 'ada', password: PASSWORD, permissions: [{ vhost: '/', read: ['mine-*'] }] },
    ],
  });
});
after(() => broker.close());

function connect(t: Parameters<typeof RawClient.connect>[0]): Promise<RawClient> {
  return RawClient.connect(t, broker.amqpPort!);
}

test('the first answer says what is spoken, by whom, and how to log in', async (t) => {
  const client = await connect(t);
  client.greet();
  const start = await client.expect(0, 'connection.start');
  assert.deepEqual([start.versionMajor, start.versionMinor], [0, 9]);
  assert.equal(start.mechanisms.toString(), 'PLAIN AMQPLAIN');
  const { capabilities, product, version, information } = plainTable(start.serverProperties);
  // kombu, and with it Celery, needs both to ask for what RabbitMQ does.
  assert.equal(product, 'RabbitMQ');
  assert.match(String(version), /^3\.10\.\d+$/);
  assert.match(String(information), /^Wherry \d+\.\d+/);
  const names = Object.keys(capabilities as object);
  for (const name of ['publisher_confirms', 'connection.blocked', 'direct_reply_to']) {
    assert.ok(names.includes(name), name);
  }
});

test('another protocol, or another version of this one, is told which one is spoken', async (t) => {
  // 1-1-8-0 and 1-1-9-1 are AMQP 0-8, 1-1-100-3 is what the Java client tries, 3-1-0-0 is 1.0's SASL.
  for (const first of [
    'AMQP\x01\x01\x08\0',
    'AMQP\x01\x01\x09\x01',
    'AMQP\x01\x01d\x03',
    'AMQP\x03\x01\0\0',
    'GET / HT',
  ]) {
    const client = await connect(t);
    const answer = client.rawBytes(8);
    client.send(first);
    assert.deepEqual(await answer, PROTOCOL_HEADER);
    await client.closed();
  }
});

test('who says 0-9 is answered as who says 0-9-1', async (t) => {
  const client = await connect(t);
  client.send('AMQP\x01\x01\0\x09');
  const { versionMajor, versionMinor } = await client.expect(0, 'connection.start');
  assert.deepEqual([versionMajor, versionMinor], [0, 9]);
});

test('the first bytes may come one by one', async (t) => {
  const client = await connect(t);
  for (const byte of PROTOCOL_HEADER) {
    client.send(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.expect(0, 'connection.start');
});

test('PLAIN and AMQPLAIN let in whoever knows the password', async (t) => {
  await RawClient.open(t, broker.amqpPort!, ada);
  const response = encodeTable(tableOf({ LOGIN: 'ada', PASSWORD }));
  await RawClient.open(t, broker.amqpPort!, { mechanism: 'AMQPLAIN', response });
});

test('a wrong login is refused: told to who understands it, and not to others', async (t) => {
  const responses: Record<string, LoginOptions> = {
    'wrong password': { user: 'ada', password: 'wrong' },
    'unknown user': { user: 'eve', password: PASSWORD },
    'no password': { user: 'ada', password: '' },
    'no names at all': { response: Buffer.from('ada') },
    'bytes that are no text': { response: Buffer.from([0, 0xff, 0, 0xff]) },
    'in the name of somebody else': { response: Buffer.from(`root\0ada\0${PASSWORD}`) },
  };
  for (const [what, login] of Object.entries(responses)) {
    const client = await connect(t);
    client.greet();
    await client.expect(0, 'connection.start');
    client.startOk(login);
    await client.expectClose(403, REFUSED).catch((error: unknown) => {
      throw new Error(what, { cause: error });
    });
    const silent = await connect(t);
    silent.greet();
    await silent.expect(0, 'connection.start');
    silent.startOk({ ...login, capabilities: {} });
    await silent.closed();
    silent.expectNothing();
  }
});

test('a mechanism that was not offered is refused, EXTERNAL without a certificate too', async (t) => {
  for (const mechanism of ['EXTERNAL', 'CRAM-MD5', 'toString', 'x'.repeat(255)]) {
    const client = await connect(t);
    client.greet();
    await client.expect(0, 'connection.start');
    client.startOk({ mechanism });
    await client.expectClose(403, /^ACCESS_REFUSED - Login was refused using authentication/);
  }
});

test('a token is a password, with any name', async (t) => {
  const authorization = `Basic ${Buffer.from(`root:${PASSWORD}`).toString('base64')}`;
  const answer = await fetch(`${broker.url}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'billing', permissions: [{ vhost: '/', read: ['*'] }] }),
  });
  const { secret } = (await answer.json()) as { secret: string };
  const client = await RawClient.open(t, broker.amqpPort!, { user: 'whoever', password: secret });
  // The connection ends with the token.
  await fetch(`${broker.url}/api/v1/tokens/billing`, {
    method: 'DELETE',
    headers: { authorization },
  });
  await client.expectClose(320, /^CONNECTION_FORCED - user 'billing' may not log in any more$/);
});

test('who guesses passwords is slowed down as over HTTP', async (t) => {
  const users = [{ name: 'root', password: PASSWORD, admin: true }];
  const { port } = await startAmqp(t, { users, limits: { loginsPerMinute: 1 } });
  const texts: string[] = [];
  for (let i = 0; i < 2; i++) {
    const client = await RawClient.connect(t, port);
    client.greet();
    await client.expect(0, 'connection.start');
    client.startOk({ user: 'root', password: `guess ${i}` });
    texts.push((await client.expect(0, 'connection.close')).replyText);
  }
  assert.equal(texts[0], REFUSED);
  assert.match(texts[1]!, /^ACCESS_REFUSED - Too many failed logins\. Try again in \d+ s/);
});

test('while there are no accounts, everybody on this machine is let in, as guest', async (t) => {
  const { port, server } = await startAmqp(t);
  await RawClient.open(t, port, { user: 'anybody', password: 'anything' });
  assert.deepEqual(
    server.connections.list().map(({ user }) => user),
    ['guest'],
  );
});

test('tune: what is agreed on is what the client wants, within what is offered', async (t) => {
  const { port, server } = await startAmqp(t, { amqp: { heartbeat: '30s', frameMax: '64kb' } });
  const client = await RawClient.connect(t, port);
  const offered = await client.logIn({ tune: { frameMax: 4_096, channelMax: 5, heartbeat: 7 } });
  assert.deepEqual(offered, { channelMax: 2_047, frameMax: 65_536, heartbeat: 30 });
  await client.openVhost();
  const [{ heartbeat, frameMax } = {}] = server.connections.list();
  assert.deepEqual([heartbeat, frameMax], [7, 4_096]);
  // A frame of the size that was offered is too long now.
  client.frame(1, 0, Buffer.alloc(4_097));
  await client.expectClose(501, /4096/);
});

test('tune: more than is offered, no limit, or less than is sensible is refused', async (t) => {
  const wishes: readonly [LoginOptions['tune'], string][] = [
    [{ frameMax: 4_095 }, 'frame_max = 4095 is lower than the minimum allowed value (4096)'],
    [{ frameMax: 131_073 }, 'frame_max = 131073 is higher than the maximum allowed value (131072)'],
    [{ frameMax: 0 }, 'frame_max = 0 (no limit) is higher than the maximum allowed value (131072)'],
    [{ channelMax: 2_048 }, 'channel_max = 2048 is higher than the maximum allowed value (2047)'],
    [
      { channelMax: 0 },
      'channel_max = 0 (no limit) is higher than the maximum allowed value (2047)',
    ],
  ];
  for (const [tune, text] of wishes) {
    const client = await connect(t);
    await client.logIn({ ...ada, ...(tune && { tune }) });
    await client.expectClose(530, `NOT_ALLOWED - negotiated ${text}`);
  }
});

test('a virtual host must be there, and the user must be let in', async (t) => {
  const authorization = `Basic ${Buffer.from(`root:${PASSWORD}`).toString('base64')}`;
  await fetch(`${broker.url}/api/v1/vhosts/shop`, { method: 'PUT', headers: { authorization } });
  const refusals: Record<string, string> = {
    nowhere: 'NOT_ALLOWED - vhost nowhere not found',
    '': 'NOT_ALLOWED - vhost  not found',
    shop: "NOT_ALLOWED - access to vhost 'shop' refused for user 'ada'",
  };
  for (const [virtualHost, text] of Object.entries(refusals)) {
    const client = await connect(t);
    await client.logIn(ada);
    client.method(0, 'connection.open', { virtualHost });
    await client.expectClose(530, text);
  }
  const root = { user: 'root', password: PASSWORD, vhost: 'shop' };
  const client = await RawClient.open(t, broker.amqpPort!, root);
  // Its connections end with it.
  await fetch(`${broker.url}/api/v1/vhosts/shop?force=true`, {
    method: 'DELETE',
    headers: { authorization },
  });
  await client.expectClose(320, "CONNECTION_FORCED - vhost 'shop' is deleted");
});

test('the methods come in their order', async (t) => {
  const early = await connect(t);
  early.greet();
  await early.expect(0, 'connection.start');
  // Who has not logged in is told nothing.
  early.method(0, 'connection.open', { virtualHost: '/' });
  await early.closed();
  early.expectNothing();

  const skipping = await connect(t);
  skipping.greet();
  await skipping.expect(0, 'connection.start');
  skipping.startOk(ada);
  await skipping.expect(0, 'connection.tune');
  skipping.method(0, 'connection.open', { virtualHost: '/' });
  await skipping.expectClose(503, /expected 'connection\.tune-ok', got 'connection\.open'$/);

  const channels = await connect(t);
  await channels.logIn(ada);
  channels.method(1, 'channel.open');
  await channels.expectClose(505, /^UNEXPECTED_FRAME/);
});

test('everything may be sent at once, before any of it is answered', async (t) => {
  const { port } = await startAmqp(t);
  const client = await RawClient.openAtOnce(t, port);
  await client.openChannel(1);
});

test('rights are those of now: changed ones hold at once, a user who is gone is cut off', async (t) => {
  const { port, state } = await startAmqp(t, {
    users: [{ name: 'root', password: PASSWORD, admin: true }],
  });
  const { accounts } = state.access;
  const permissions = [{ vhost: '/', configure: ['q'], write: [], read: [] }];
  await accounts.putUser('bob', { password: PASSWORD, permissions });
  const client = await RawClient.open(t, port, { user: 'bob', password: PASSWORD });
  await client.openChannel(1);
  client.method(1, 'queue.declare', { queue: 'q' });
  await client.expect(1, 'queue.declare-ok');
  await accounts.putUser('bob', { permissions: [{ ...permissions[0]!, configure: ['other'] }] });
  client.method(1, 'queue.declare', { queue: 'q' });
  const { replyText } = await client.expect(1, 'channel.close');
  assert.equal(
    replyText,
    "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'bob'",
  );
  client.method(1, 'channel.close-ok');
  const other = await RawClient.open(t, port, { user: 'bob', password: PASSWORD });
  await accounts.putUser('bob', { permissions: [] });
  const text = "CONNECTION_FORCED - user 'bob' has no access to vhost '/' any more";
  await client.expectClose(320, text);
  await other.expectClose(320, text);
});

test('update-secret takes a newer token, and anything from whoever has a password', async (t) => {
  const { port, state } = await startAmqp(t, {
    users: [{ name: 'root', password: PASSWORD, admin: true }],
    limits: { loginsPerMinute: 1_000 },
  });
  const { accounts } = state.access;
  const permissions = [{ vhost: '/', configure: [], write: [], read: ['*'] }];
  await accounts.putUser('bob', { password: PASSWORD, permissions });
  const { secret } = await accounts.createToken({ name: 'root', admin: true, expiresAt: null });
  const client = await RawClient.open(t, port, { user: 'bob', password: PASSWORD });
  for (const newSecret of ['anything', secret]) {
    client.method(0, 'connection.update-secret', {
      newSecret: Buffer.from(newSecret),
      reason: 'r',
    });
    await client.expect(0, 'connection.update-secret-ok');
  }
  // Somebody else's token does not make it more than it was.
  await client.openChannel(1);
  client.method(1, 'queue.declare', { queue: 'q' });
  assert.equal((await client.expect(1, 'channel.close')).replyCode, 403);

  const { secret: next } = await accounts.createToken({
    name: 'next',
    admin: true,
    expiresAt: null,
  });
  const bearer = await RawClient.open(t, port, { user: '', password: secret });
  bearer.method(0, 'connection.update-secret', { newSecret: Buffer.from(next), reason: 'r' });
  await bearer.expect(0, 'connection.update-secret-ok');
  // The former one is not what it holds on to any more.
  await accounts.removeToken('root');
  await bearer.openChannel(1);
  bearer.method(0, 'connection.update-secret', { newSecret: Buffer.from(secret), reason: 'r' });
  await bearer.expectClose(530, /^NOT_ALLOWED - New secret was refused/);
});
