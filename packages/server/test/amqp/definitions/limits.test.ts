/** How many definitions there may be, and what becomes of one whose connection is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import type { DefinitionChannel } from '../../../src/servers/amqp/definitions/definition-channel.ts';
import { handleQueue } from '../../../src/servers/amqp/handlers/queue.ts';
import { Outstanding } from '../../../src/servers/amqp/messages/outstanding.ts';
import { CountLimit } from '../../../src/vhosts/count-limit.ts';
import { openVhost, RecordedConnection } from '../messages/recorded-channel.ts';
import { declaration, NOTHING, open, refused } from './registries.ts';

test('as many as there may be can be made, and more when some have gone', () => {
  let count = 0;
  let looks = 0;
  const look = (): number => {
    looks++;
    return count;
  };
  const limit = new CountLimit(5_000, look, () => new Error('full'));
  const make = (): void => {
    limit.take();
    count++;
  };
  for (let i = 0; i < 5_000; i++) make();
  assert.ok(looks < 30, `they were counted ${looks} times`);
  const full = /full/;
  assert.throws(make, full);
  count -= 2;
  make();
  make();
  assert.throws(make, full);
});

test('what is too much is refused with 406, and what is there already is not too much', async (t) => {
  const max = { queues: 2, exchanges: 1, bindings: 1 };
  const { mq, queues, exchanges } = await open(t, 'memory:', max);
  // The system's dead-letter queue is one of them.
  await queues.declare(declaration('one'));
  await queues.declare(declaration('one'));
  const full = (kind: string): ReturnType<typeof refused> =>
    refused(406, new RegExp(`There are \\d ${kind} in the virtual host '/' \\(limits.${kind}\\)`));
  await assert.rejects(queues.declare(declaration('two')), full('queues'));

  const topic = { type: 'topic', durable: true, autoDelete: false, internal: false };
  const exchange = { ...topic, name: 'shop', arguments: NOTHING };
  await exchanges.declare(exchange);
  await exchanges.declare(exchange);
  await assert.rejects(exchanges.declare({ ...exchange, name: 'post' }), full('exchanges'));
  await exchanges.declare({ ...exchange, name: 'amq.topic', isPredeclared: true });

  const destination = { kind: 'queue', name: 'one' } as const;
  const binding = { source: 'shop', destination, routingKey: 'a', arguments: NOTHING };
  await exchanges.bind(binding);
  await exchanges.bind(binding);
  await assert.rejects(exchanges.bind({ ...binding, routingKey: 'b' }), full('bindings'));
  await mq.deleteQueue('one', { force: true });
  await queues.declare(declaration('two'));
});

test('an exclusive queue is not made for a channel that has closed while it waited', async (t) => {
  const { broker, vhost, close } = await openVhost();
  t.after(close);
  const { host } = new RecordedConnection(broker, vhost);
  const outstanding = new Outstanding();
  const channel: DefinitionChannel & { isClosed: boolean } = {
    number: 1,
    host,
    lastQueue: '',
    outstanding,
    isClosed: false,
  };
  const args = {
    ticket: 0,
    queue: 'orphan',
    passive: false,
    durable: false,
    exclusive: true,
    autoDelete: false,
    nowait: false,
    arguments: tableOf({}),
  };
  outstanding.begin();
  const declared = handleQueue(channel, { name: 'queue.declare', args });
  channel.isClosed = true;
  outstanding.end();
  await declared;
  assert.equal(vhost.port.findQueue('orphan'), undefined);
  assert.equal(host.writer.length, 0, 'nobody is answered');
});
