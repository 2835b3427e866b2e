import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { tableOf } from '../../../src/protocols/amqp/table.ts';
import { openForTests } from '../messages/helpers.ts';
import type { RecordedChannel } from '../messages/recorded-channel.ts';

const opened = openForTests();
const open = (): RecordedChannel => opened.connect().channel();

describe('what a channel is asked for', () => {
  it('is not answered where the client does not wait, and done all the same', async () => {
    const channel = open();
    const nowait = true;
    await channel.send('exchange.declare', { exchange: 'x', type: 'fanout', nowait });
    await channel.send('exchange.declare', { exchange: 'y', type: 'fanout', nowait });
    await channel.send('exchange.bind', { destination: 'y', source: 'x', nowait });
    await channel.send('queue.declare', { queue: 'q', nowait });
    await channel.send('queue.bind', { queue: 'q', exchange: 'y', nowait });
    channel.publish('', 'through both', { exchange: 'x' });
    const { args } = await channel.call('queue.declare', { queue: 'q', passive: true });
    assert.deepEqual(args, { queue: 'q', messageCount: 1, consumerCount: 0 });
    await channel.send('queue.purge', { queue: 'q', nowait });
    await channel.send('exchange.unbind', { destination: 'y', source: 'x', nowait });
    await channel.send('exchange.delete', { exchange: 'x', nowait });
    await channel.send('exchange.delete', { exchange: 'y', nowait });
    await channel.send('queue.delete', { queue: 'q', nowait });
    const { mq } = opened.vhost;
    assert.equal(opened.vhost.port.findQueue('q'), undefined);
    assert.deepEqual(mq.listBindings(), []);
    await channel.call('queue.declare', { queue: 'last' });
    await channel.call('queue.delete', { queue: '' });
  });

  it('sees what was published before', async (t) => {
    const { port } = opened.vhost;
    const publish = port.publish.bind(port);
    // As in a store that has much to do.
    t.mock.method(port, 'publish', async (...args: Parameters<typeof publish>) => {
      await setTimeout(20);
      publish(...args);
    });
    const channel = open();
    await channel.call('queue.declare', { queue: 'q' });
    channel.publish('q', 'one');
    await assert.rejects(channel.send('queue.delete', { queue: 'q', ifEmpty: true }), /not empty/);
    channel.publish('q', 'two');
    const { args } = await channel.call('queue.purge', { queue: 'q' });
    assert.deepEqual(args, { messageCount: 2 });
    channel.publish('q', 'three');
    await channel.send('basic.get', { queue: 'q' });
    const { payload, args: got } = await channel.next('basic.get-ok');
    assert.equal(String(payload), 'three');
    const { deliveryTag } = got as { deliveryTag: number };
    await channel.send('basic.nack', { deliveryTag, requeue: true });
    await channel.send('basic.get', { queue: 'q', noAck: true });
    const { args: again } = await channel.next('basic.get-ok');
    assert.equal((again as { redelivered: boolean }).redelivered, true);
    await channel.call('queue.delete', { queue: 'q', ifEmpty: true });
  });

  it('is found by other widths of the same numbers', async () => {
    const channel = open();
    const args = tableOf({ 'x-max-length': 5, 'x-expires': 60_000n });
    await channel.call('queue.declare', { queue: 'q', arguments: args });
    const wider = tableOf({ 'x-max-length': 5n, 'x-expires': 60_000 });
    await channel.call('queue.declare', { queue: 'q', arguments: wider });
    await channel.call('queue.delete', { queue: 'q' });
  });
});

it('a queue that expires goes when nobody has asked for it so long', async () => {
  const channel = open();
  const args = tableOf({ 'x-expires': 500 });
  await channel.call('queue.declare', { queue: 'idle', arguments: args });
  const { port } = opened.vhost;
  const end = Date.now() + 800;
  while (Date.now() < end) {
    await channel.call('queue.declare', { queue: 'idle', passive: true });
    await setTimeout(20);
  }
  const deadline = Date.now() + 10_000;
  while (port.findQueue('idle') !== undefined && Date.now() < deadline) await setTimeout(20);
  assert.equal(port.findQueue('idle'), undefined);
});
