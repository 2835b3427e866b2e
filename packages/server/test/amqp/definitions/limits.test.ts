/** How many definitions there may be, and what becomes of one whose connection is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import { CountLimit } from '../../../src/servers/amqp/definitions/count-limit.ts';
import type { DefinitionChannel } from '../../../src/servers/amqp/definitions/definition-channel.ts';
import { handleQueue } from '../../../src/servers/amqp/handlers/queue.ts';
import { Outstanding } from '../../../src/servers/amqp/messages/outstanding.ts';
import { openVhost, RecordedConnection } from '../messages/recorded-channel.ts';
import { refused } from './registries.ts';

test('as many as there may be can be made, and more when some have gone', () => {
  let count = 0;
  let looks = 0;
  const look = (): number => {
    looks++;
    return count;
  };
  const limit = new CountLimit("queues in vhost '/'", look, 5_000);
  const make = (): void => {
    limit.take();
    count++;
  };
  for (let i = 0; i < 5_000; i++) make();
  assert.ok(looks < 30, `they were counted ${looks} times`);
  const full = refused(406, /there are 5000 queues in vhost '\/', and may be no more/);
  assert.throws(make, full);
  count -= 2;
  make();
  make();
  assert.throws(make, full);
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
  const declaration = {
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
  const declared = handleQueue(channel, { name: 'queue.declare', args: declaration });
  channel.isClosed = true;
  outstanding.end();
  await declared;
  assert.equal(vhost.port.findQueue('orphan'), undefined);
  assert.equal(host.writer.length, 0, 'nobody is answered');
});
