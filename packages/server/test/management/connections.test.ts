/** AMQP's connections, channels and consumers, as both APIs and the metrics show them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test, type TestContext } from 'node:test';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import type { Broker } from '../../src/index.ts';
import { type Client, clientOf, until } from '../http/client.ts';
import { managementOf, startBoth } from './management-client.ts';

let broker: Broker;
let root: Client;

before(async () => {
  broker = await startBoth({
    users: [
      { name: 'root', password: 'correct horse', admin: true },
      {
        name: 'ada',
        password: 'ada secret',
        permissions: [{ vhost: '/', configure: ['*'], write: ['*'], read: ['mine*'] }],
      },
    ],
    limits: { loginsPerMinute: 1_000 },
  });
  root = managementOf(broker, 'root', 'correct horse');
});
after(() => broker.close({ deadline: 0 }));

async function open(t: TestContext, user: string, name: string): Promise<ChannelModel> {
  const [password] = { root: ['correct%20horse'], ada: ['ada%20secret'] }[user]!;
  const url = `amqp://${user}:${password}@127.0.0.1:${broker.amqpPort}`;
  const connection = await connect(url, { clientProperties: { connection_name: name } });
  connection.on('error', () => {});
  t.after(() => connection.close().catch(() => {}));
  return connection;
}

/** A consumer that has two of three messages in hand, with a prefetch of two. */
async function holdTwo(connection: ChannelModel, queue: string): Promise<Channel> {
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue);
  for (let i = 0; i < 3; i++) channel.sendToQueue(queue, Buffer.from('x'));
  await channel.waitForConfirms();
  await channel.prefetch(2);
  const both = new Promise<void>((resolve) => {
    let count = 0;
    const take = (): void => {
      if (++count === 2) resolve();
    };
    void channel.consume(queue, take, { consumerTag: `tag of ${queue}` });
  });
  await both;
  return channel;
}

test('connections, channels and consumers are shown with what they hold', async (t) => {
  const connection = await open(t, 'root', 'the shop');
  await holdTwo(connection, 'held');
  const [shown] = (await root('GET', '/connections')).body;
  assert.equal(shown.user_provided_name, 'the shop');
  assert.match(
    shown.name,
    new RegExp(`^127\\.0\\.0\\.1:\\d+ -> 127\\.0\\.0\\.1:${broker.amqpPort}$`),
  );
  const { user, vhost, state, channels, ssl } = shown;
  assert.deepEqual(
    { user, vhost, state, channels, ssl },
    { user: 'root', vhost: '/', state: 'running', channels: 1, ssl: false },
  );
  const [channel] = (await root('GET', '/channels')).body;
  assert.equal(channel.name, `${shown.name} (${channel.number})`);
  const { consumer_count: count, prefetch_count: prefetch, confirm } = channel;
  assert.deepEqual({ count, prefetch, confirm }, { count: 1, prefetch: 2, confirm: true });
  assert.equal(channel.messages_unacknowledged, 2);
  const [consumer] = (await root('GET', '/consumers/%2F')).body;
  assert.equal(consumer.consumer_tag, 'tag of held');
  assert.deepEqual(consumer.queue, { name: 'held', vhost: '/' });
  assert.equal(consumer.ack_required, true);
  assert.equal(consumer.prefetch_count, 2);
  assert.equal(consumer.messages_unacknowledged, 2);
  assert.equal(consumer.channel_details.connection_name, shown.name);
  const queue = (await root('GET', '/queues/%2F/held')).body;
  const { consumers, messages, messages_ready: ready } = queue;
  assert.deepEqual({ consumers, messages, ready }, { consumers: 1, messages: 3, ready: 1 });
  const overview = (await root('GET', '/overview')).body.object_totals;
  assert.deepEqual([overview.connections, overview.channels, overview.consumers], [1, 1, 1]);
});

test('our own API shows the same', async (t) => {
  const connection = await open(t, 'root', 'the yard');
  await holdTwo(connection, 'ours');
  const headers = { authorization: `Basic ${btoa('root:correct horse')}` };
  const own = clientOf(broker);
  const { connections } = (await own('GET', '/connections', { headers })).body;
  const shown = connections.find((one: { amqp: unknown }) => one.amqp !== null);
  assert.equal(shown.protocol, 'amqp');
  assert.equal(shown.amqp.name, 'the yard');
  assert.equal(shown.amqp.channels[0].unacknowledged, 2);
  assert.ok(connections.some((one: { amqp: unknown; protocol: string }) => one.amqp === null));
  const { consumers } = (await own('GET', '/consumers', { headers })).body;
  const [{ kind, held, credit, prefetch, consumer, user }] = consumers;
  assert.deepEqual(
    { kind, held, credit, prefetch, consumer, user },
    { kind: 'amqp', held: 2, credit: 0, prefetch: 2, consumer: 'tag of ours', user: 'root' },
  );
  const closed = once(connection, 'close');
  assert.equal((await own('DELETE', `/connections/${shown.id}`, { headers })).status, 204);
  await closed;
  assert.equal((await own('DELETE', '/connections/amqp-none', { headers })).status, 404);
});

test('a connection is closed by its name, and its client told why', async (t) => {
  const connection = await open(t, 'root', 'doomed');
  const [{ name }] = (await root('GET', '/connections?name=127.0')).body;
  const closed = once(connection, 'close');
  const path = `/connections/${encodeURIComponent(name)}`;
  assert.equal((await root('GET', path)).body.user_provided_name, 'doomed');
  const headers = { 'x-reason': 'the harbour closes' };
  assert.equal((await root('DELETE', path, { headers })).status, 204);
  const [error] = (await closed) as [Error];
  assert.match(error.message, /320.*the harbour closes/);
  await until(async () => (await root('GET', '/connections')).body.length === 0);
  assert.equal((await root('DELETE', path)).status, 404);
});

test('a connection that is closed without a reason is told by whom', async (t) => {
  const connection = await open(t, 'root', 'unreasoned');
  const closed = once(connection, 'close');
  const [{ id }] = (await root('GET', '/connections')).body;
  assert.equal((await root('DELETE', `/connections/${id}`)).status, 204);
  const [error] = (await closed) as [Error];
  assert.match(error.message, /"CONNECTION_FORCED - closed via the management API"/);
  await until(async () => (await root('GET', '/connections')).body.length === 0);
});

test('who does not administer the broker sees what is its own', async (t) => {
  const connection = await open(t, 'root', 'not hers');
  await holdTwo(connection, 'secret');
  const own = await open(t, 'ada', 'hers');
  await holdTwo(own, 'mine');
  const ada = managementOf(broker, 'ada', 'ada secret');
  const names = async (path: string, field: string): Promise<unknown[]> =>
    (await ada('GET', path)).body.map((row: Record<string, unknown>) => row[field]);
  assert.deepEqual(await names('/connections', 'user_provided_name'), ['hers']);
  assert.deepEqual(await names('/channels', 'user'), ['ada']);
  assert.deepEqual(await names('/consumers', 'consumer_tag'), ['tag of mine']);
  const all = (await root('GET', '/connections')).body as { name: string; user: string }[];
  const { name } = all.find(({ user }) => user === 'root')!;
  assert.equal((await ada('DELETE', `/connections/${encodeURIComponent(name)}`)).status, 404);
});

test('metrics count what AMQP does', async (t) => {
  const connection = await open(t, 'root', 'counted');
  const text = async (): Promise<Map<string, number>> => {
    const headers = { authorization: `Basic ${btoa('root:correct horse')}` };
    const page = await (await fetch(`${broker.url}/metrics`, { headers })).text();
    const lines = page.split('\n').filter((line) => line.startsWith('wherry_amqp_'));
    return new Map(
      lines.map((line) => [
        line.split(' ')[0]!.replace('wherry_amqp_', ''),
        Number(line.split(' ')[1]),
      ]),
    );
  };
  const then = await text();
  const channel = await holdTwo(connection, 'counted');
  const returned = once(channel, 'return');
  channel.publish('', 'nowhere', Buffer.from('x'), { mandatory: true });
  await returned;
  const now = await text();
  const grown = (name: string): number => now.get(name)! - then.get(name)!;
  assert.equal(now.get('connections'), 1);
  assert.equal(now.get('channels'), 1);
  assert.equal(now.get('consumers'), 1);
  assert.equal(now.get('unacknowledged'), 2);
  assert.equal(grown('published_total'), 4);
  assert.equal(grown('returned_total'), 1);
  assert.equal(grown('delivered_total'), 2);
  assert.ok(grown('confirmed_total') >= 3);
});
