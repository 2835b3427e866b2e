/** basic.get, and a client that asks faster than it reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startAmqp } from '../connection/amqp-fixture.ts';
import { RawClient } from '../connection/raw-client.ts';
import { declared } from './helpers.ts';
import { openVhost, RecordedConnection } from './recorded-channel.ts';

test('a get waits until its client has read what was delivered', async (t) => {
  const { broker, vhost, close } = await openVhost();
  t.after(close);
  const connection = new RecordedConnection(broker, vhost);
  const [one, two] = [connection.channel(1), connection.channel(2)];
  const queue = await declared(one);
  await one.call('confirm.select');
  for (const text of ['a', 'b']) {
    one.publish(queue, text);
    await one.next('basic.ack');
  }
  connection.mayDeliver = false;
  const gets = [one.send('basic.get', { queue }), two.send('basic.get', { queue })];
  // Another client is served meanwhile.
  const other = new RecordedConnection(broker, vhost).channel();
  const empty = await declared(other);
  await other.send('basic.get', { queue: empty });
  await other.next('basic.get-empty');
  assert.equal((await vhost.mq.getQueueInfo(queue)).ready, 2);
  // One that ends meanwhile takes nothing.
  await two.end.close();
  connection.drain();
  await Promise.all(gets);
  assert.equal(String((await one.next('basic.get-ok')).payload), 'a');
  const { leased, ready } = await vhost.mq.getQueueInfo(queue);
  assert.deepEqual([leased, ready], [1, 1]);
  await one.end.close();
  await other.end.close();
});

test('gets on many channels at once take no more than the client reads', async (t) => {
  const channels = 100;
  const { port, state } = await startAmqp(t, { limits: { unreadBytes: '64kb' } });
  const mq = state.vhosts.find('/')!;
  await mq.createQueue({ name: 'q' });
  const client = await RawClient.open(t, port);
  for (let number = 1; number <= channels; number++) await client.openChannel(number);
  const payload = new Uint8Array(512 * 1024);
  for (let i = 0; i < channels; i++) await mq.sendMessage('q', { payload });

  client.socket.pause();
  for (let number = 1; number <= channels; number++) {
    client.method(number, 'basic.get', { queue: 'q', noAck: true });
  }
  let left = channels;
  const ready = async (): Promise<number> => (await mq.getQueueInfo('q')).ready;
  // Until no more is taken.
  for (let before = -1; before !== left || left === channels; await setTimeout(200)) {
    before = left;
    left = await ready();
  }
  // What the system takes for a client that does not read, and a few of ours.
  assert.ok(left > channels / 4 && left < channels, `${left} of ${channels} are left`);

  client.socket.resume();
  const answered = new Set<number>();
  while (answered.size < channels) {
    const { channel } = await client.next();
    answered.add(channel);
  }
  assert.equal(await ready(), 0);
});
