import amqp, { type Channel, type ChannelModel, type GetMessage } from 'amqplib';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Broker } from '../../../src/index.ts';
import { CHEAP, startBroker } from '../../broker.ts';

const PASSWORD = 'correct horse battery';

let broker: Broker;

before(async () => {
  const permissions = [
    {
      vhost: '/',
      configure: ['mine*', 'amq.gen-*'],
      write: ['mine*'],
      read: ['mine*', 'amq.topic'],
    },
  ];
  broker = await startBroker({
    amqp: { port: 0 },
    users: [
      { name: 'root', password: PASSWORD, admin: true },
      { name: 'ada', password: PASSWORD, permissions },
    ],
  });
});
after(() => broker.close());

async function connect(t: TestContext, user = 'root', to = broker): Promise<ChannelModel> {
  const { amqpPort: port } = to;
  const address = {
    hostname: '127.0.0.1',
    port: port!,
    username: user,
    password: PASSWORD,
  };
  // Refused channels would take 40 ms each.
  const connection = await amqp.connect(address, { noDelay: true });
  connection.on('error', () => {});
  t.after(() => connection.close().catch(() => {}));
  return connection;
}

async function open(connection: ChannelModel): Promise<Channel> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  return channel;
}

/** Does something on a channel of its own, which it costs. @returns how that was closed */
async function refusal(
  connection: ChannelModel,
  act: (channel: Channel) => Promise<unknown>,
): Promise<string> {
  const channel = await open(connection);
  const closed = once(channel, 'error') as Promise<[Error & { code: number }]>;
  await assert.rejects(act(channel));
  const [error] = await closed;
  const [, text = error.message] = /with message "(.*)"$/.exec(error.message) ?? [];
  return `${error.code} ${text}`;
}

describe('queues', () => {
  it('get a name from the server, and go by it', async (t) => {
    const channel = await open(await connect(t));
    const { queue } = await channel.assertQueue('', { exclusive: true });
    assert.match(queue, /^amq\.gen-[\w-]{22}$/);
    // Nothing but the queue that was declared last is meant.
    await channel.bindQueue('', 'amq.direct', '');
    channel.publish('amq.direct', queue, Buffer.from('by its name'));
    const message = await channel.get('', { noAck: true });
    assert.equal(message && message.content.toString(), 'by its name');
    assert.deepEqual(await channel.purgeQueue(''), { messageCount: 0 });
    await channel.unbindQueue('', 'amq.direct', '');
    await channel.deleteQueue('');
    assert.equal(
      await refusal(await connect(t), (other) => other.checkQueue(queue)),
      `404 NOT_FOUND - no queue '${queue}' in vhost '/'`,
    );
  });

  it('are refused as RabbitMQ does it', async (t) => {
    const connection = await connect(t);
    const cases: [(channel: Channel) => Promise<unknown>, string][] = [
      [
        (c) => c.assertQueue('amq.x'),
        "403 ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'",
      ],
      [(c) => c.checkQueue('none'), "404 NOT_FOUND - no queue 'none' in vhost '/'"],
      [(c) => c.checkQueue(''), "404 NOT_FOUND - no queue '' in vhost '/'"],
      [(c) => c.purgeQueue('none'), "404 NOT_FOUND - no queue 'none' in vhost '/'"],
      [(c) => c.deleteQueue(''), '404 NOT_FOUND - no previously declared queue'],
      [(c) => c.bindQueue('', 'amq.topic', 'a'), '404 NOT_FOUND - no previously declared queue'],
      [
        (c) => c.bindQueue('none', 'amq.topic', 'a'),
        "404 NOT_FOUND - no queue 'none' in vhost '/'",
      ],
      [(c) => c.bindQueue('none', 'none', 'a'), "404 NOT_FOUND - no exchange 'none' in vhost '/'"],
      [
        (c) => c.bindQueue('none', '', 'a'),
        '403 ACCESS_REFUSED - operation not permitted on the default exchange',
      ],
      [
        (c) => c.assertQueue('', { arguments: { 'x-queue-type': 'quorum' } }),
        '406 PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue',
      ],
      [
        (c) => c.checkQueue('amq.rabbitmq.reply-to.nobody'),
        "404 NOT_FOUND - no queue 'amq.rabbitmq.reply-to.nobody' in vhost '/'",
      ],
    ];
    for (const [act, text] of cases) assert.equal(await refusal(connection, act), text);
    const channel = await open(connection);
    // What is not there can be deleted, and unbound.
    assert.deepEqual(await channel.deleteQueue('none'), { messageCount: 0 });
    await channel.unbindQueue('none', 'amq.topic', 'a');
    await channel.unbindQueue('none', 'none', 'a');
    const replies = await channel.assertQueue('amq.rabbitmq.reply-to');
    assert.deepEqual(replies, {
      queue: 'amq.rabbitmq.reply-to',
      messageCount: 0,
      consumerCount: 1,
    });
  });

  it('that are exclusive go with their connection, and auto-delete exchanges with them', async (t) => {
    const [mine, others] = [await connect(t), await open(await connect(t))];
    const channel = await open(mine);
    await channel.assertQueue('own', { exclusive: true });
    await channel.assertExchange('passing', 'fanout', { autoDelete: true });
    await channel.bindQueue('own', 'passing', '');
    assert.match(
      await refusal(await connect(t), (other) => other.checkQueue('own')),
      /^405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'own' in vhost '\/'\./,
    );
    await mine.close();
    await others.assertQueue('own', { durable: false });
    await others.deleteQueue('own');
    assert.match(await refusal(await connect(t), (c) => c.checkExchange('passing')), /^404/);
  });

  it('with auto-delete are gone when the last consumer has been cancelled', async (t) => {
    const connection = await connect(t);
    const channel = await open(connection);
    await channel.assertQueue('brief', { autoDelete: true });
    const { consumerTag } = await channel.consume('brief', () => {});
    assert.equal((await channel.checkQueue('brief')).consumerCount, 1);
    await channel.cancel(consumerTag);
    assert.match(await refusal(connection, (c) => c.checkQueue('brief')), /^404/);
    await channel.assertQueue('brief', { autoDelete: true });
    await channel.consume('brief', () => {});
    await channel.close();
    assert.match(await refusal(connection, (c) => c.checkQueue('brief')), /^404/);
  });

  it('keep what their arguments say', async (t) => {
    const channel = await open(await connect(t));
    await channel.assertQueue('last', { maxLength: 1 });
    for (const text of ['one', 'two']) channel.sendToQueue('last', Buffer.from(text));
    const { messageCount } = await channel.checkQueue('last');
    assert.equal(messageCount, 1);
    const message = await channel.get('last', { noAck: true });
    assert.equal(message && message.content.toString(), 'two');
    await channel.deleteQueue('last');
  });
});

describe('queues with x-max-length', () => {
  const texts = async (channel: Channel, queue: string): Promise<string[]> => {
    const found: string[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return found;
      found.push(message.content.toString());
    }
  };

  it('do not count what consumers have in hand', async (t) => {
    for (const overflow of ['drop-head', 'reject-publish']) {
      const channel = await (await connect(t)).createConfirmChannel();
      const { queue } = await channel.assertQueue('', {
        exclusive: true,
        arguments: { 'x-max-length': 1, 'x-overflow': overflow },
      });
      const publish = async (text: string): Promise<boolean> => {
        channel.sendToQueue(queue, Buffer.from(text));
        return channel.waitForConfirms().then(
          () => true,
          () => false,
        );
      };
      assert.equal(await publish('in hand'), true);
      const inHand = await channel.get(queue, {});
      assert.equal(inHand && inHand.content.toString(), 'in hand');
      assert.equal(await publish('waits'), true);
      assert.equal(await publish('too many'), overflow === 'drop-head');
      assert.deepEqual(await texts(channel, queue), [
        overflow === 'drop-head' ? 'too many' : 'waits',
      ]);
      channel.nack(inHand as GetMessage);
      assert.deepEqual(await texts(channel, queue), ['in hand']);
    }
  });
});

describe('exchanges', () => {
  it('are there from the start', async (t) => {
    const channel = await open(await connect(t));
    await channel.assertExchange('amq.match', 'headers');
    await channel.assertExchange('amq.rabbitmq.trace', 'topic', { internal: true });
    for (const name of ['amq.direct', 'amq.fanout', 'amq.topic', 'amq.headers']) {
      await channel.checkExchange(name);
    }
  });

  it('are refused as RabbitMQ does it', async (t) => {
    const connection = await connect(t);
    const untouchable = '403 ACCESS_REFUSED - operation not permitted on the default exchange';
    const none = "404 NOT_FOUND - no exchange 'none' in vhost '/'";
    const cases: [(channel: Channel) => Promise<unknown>, string][] = [
      [
        (c) => c.assertExchange('amq.x', 'direct'),
        "403 ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix 'amq.*'",
      ],
      [(c) => c.assertExchange('', 'direct'), untouchable],
      [(c) => c.deleteExchange(''), untouchable],
      [(c) => c.checkExchange(''), untouchable],
      [(c) => c.bindExchange('amq.topic', '', 'k'), untouchable],
      [(c) => c.checkExchange('none'), none],
      [(c) => c.bindExchange('none', 'amq.topic', 'k'), none],
      [(c) => c.bindExchange('amq.topic', 'none', 'k'), none],
      [
        (c) => c.deleteExchange('amq.topic'),
        "403 ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed",
      ],
      // RabbitMQ closes the connection for this one.
      [
        (c) => c.assertExchange('x', 'bogus'),
        "406 PRECONDITION_FAILED - invalid exchange type 'bogus': unknown exchange type",
      ],
    ];
    for (const [act, text] of cases) assert.equal(await refusal(connection, act), text);
    const channel = await open(connection);
    await channel.deleteExchange('none');
    await channel.unbindExchange('none', 'amq.topic', 'k');
  });

  it('route through each other, and to their alternate', async (t) => {
    const channel = await open(await connect(t));
    await channel.assertExchange('front', 'topic', { alternateExchange: 'lost', durable: false });
    await channel.assertExchange('back', 'fanout', { internal: true, durable: false });
    await channel.assertExchange('lost', 'fanout', { durable: false });
    await channel.assertQueue('routed', { exclusive: true });
    await channel.assertQueue('unrouted', { exclusive: true });
    await channel.bindExchange('back', 'front', 'a.*');
    await channel.bindQueue('routed', 'back', '');
    await channel.bindQueue('unrouted', 'lost', '');
    channel.publish('front', 'a.b', Buffer.from('1'));
    channel.publish('front', 'b', Buffer.from('2'));
    assert.equal((await channel.checkQueue('routed')).messageCount, 1);
    assert.equal((await channel.checkQueue('unrouted')).messageCount, 1);
    await channel.unbindExchange('back', 'front', 'a.*');
    channel.publish('front', 'a.b', Buffer.from('3'));
    assert.equal((await channel.checkQueue('unrouted')).messageCount, 2);
    for (const name of ['front', 'back', 'lost']) await channel.deleteExchange(name);
  });

  it('of type headers look at what a binding asks for', async (t) => {
    const channel = await open(await connect(t));
    await channel.assertQueue('any', { exclusive: true });
    await channel.assertQueue('all', { exclusive: true });
    const wanted = { number: 5, text: 'a' };
    await channel.bindQueue('any', 'amq.headers', '', { ...wanted, 'x-match': 'any' });
    await channel.bindQueue('all', 'amq.headers', '', { ...wanted, 'x-match': 'all' });
    channel.publish('amq.headers', '', Buffer.from('1'), { headers: { number: 5 } });
    channel.publish('amq.headers', '', Buffer.from('2'), { headers: { ...wanted, more: 1 } });
    assert.equal((await channel.checkQueue('any')).messageCount, 2);
    assert.equal((await channel.checkQueue('all')).messageCount, 1);
  });
});

describe('permissions', () => {
  const text = (kind: string, name: string): string =>
    `403 ACCESS_REFUSED - access to ${kind} '${name}' in vhost '/' refused for user 'ada'`;

  it('are asked for as RabbitMQ does it', async (t) => {
    const root = await open(await connect(t));
    await root.assertQueue('theirs');
    await root.assertExchange('theirs', 'fanout');
    const connection = await connect(t, 'ada');
    const channel = await open(connection);
    await channel.assertQueue('mine');
    await channel.assertQueue('', { exclusive: true });
    await channel.assertExchange('mine', 'fanout');
    await channel.bindQueue('mine', 'mine', '');
    await channel.checkQueue('theirs');
    const deadLetters = { deadLetterExchange: 'theirs' };
    const alternate = { alternateExchange: 'theirs' };
    const cases: [(channel: Channel) => Promise<unknown>, string][] = [
      [(c) => c.assertQueue('theirs'), text('queue', 'theirs')],
      [(c) => c.deleteQueue('theirs'), text('queue', 'theirs')],
      [(c) => c.purgeQueue('theirs'), text('queue', 'theirs')],
      [(c) => c.bindQueue('theirs', 'mine', ''), text('queue', 'theirs')],
      [(c) => c.bindQueue('mine', 'theirs', ''), text('exchange', 'theirs')],
      [(c) => c.unbindQueue('mine', 'theirs', ''), text('exchange', 'theirs')],
      [(c) => c.assertQueue('mine.2', deadLetters), text('exchange', 'theirs')],
      [(c) => c.assertExchange('theirs', 'fanout'), text('exchange', 'theirs')],
      [(c) => c.deleteExchange('theirs'), text('exchange', 'theirs')],
      [(c) => c.assertExchange('mine.2', 'fanout', alternate), text('exchange', 'theirs')],
      [(c) => c.bindExchange('theirs', 'mine', ''), text('exchange', 'theirs')],
      [(c) => c.bindExchange('mine', 'theirs', ''), text('exchange', 'theirs')],
    ];
    for (const [act, refused] of cases) assert.equal(await refusal(connection, act), refused);
    for (const name of ['theirs', 'mine']) {
      await root.deleteQueue(name);
      await root.deleteExchange(name);
    }
  });
});

it('what is durable survives the broker, and nothing else does', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-definitions-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const users = [{ name: 'root', password: PASSWORD, admin: true }];
  const config = { store: `lmdb:${folder}`, amqp: { port: 0 }, users };
  const start = (): Promise<Broker> => startBroker(config, { passwords: { cost: CHEAP } });
  const first = await start();
  t.after(() => first.close());
  const channel = await open(await connect(t, 'root', first));
  const args = { arguments: { 'x-max-priority': 3, kept: ['a', 1] } };
  await channel.assertQueue('durable', args);
  await channel.assertQueue('transient', { durable: false });
  await channel.assertExchange('kept', 'direct', { autoDelete: true });
  await channel.assertExchange('passing', 'direct', { durable: false });
  await channel.bindQueue('durable', 'kept', 'k', { a: 1 });
  await channel.bindQueue('transient', 'kept', 'k');
  await first.close();

  const second = await start();
  t.after(() => second.close());
  const connection = await connect(t, 'root', second);
  const again = await open(connection);
  await again.assertQueue('durable', args);
  await again.assertExchange('kept', 'direct', { autoDelete: true });
  assert.match(await refusal(connection, (c) => c.checkQueue('transient')), /^404/);
  assert.match(await refusal(connection, (c) => c.checkExchange('passing')), /^404/);
  again.publish('kept', 'k', Buffer.from('it is still bound'));
  assert.equal((await again.checkQueue('durable')).messageCount, 1);
  await again.unbindQueue('durable', 'kept', 'k', { a: 1 });
  assert.match(await refusal(connection, (c) => c.checkExchange('kept')), /^404/);
});
