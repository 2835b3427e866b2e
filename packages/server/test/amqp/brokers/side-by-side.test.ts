/** Several brokers that live: what AMQP promises of a queue holds wherever its clients are. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Message } from 'amqplib';
import { type Driver, MessageQueueSystem } from 'wherry';
import type { Broker } from '../../../src/index.ts';
import { startBroker } from '../../broker.ts';
import { channelAt, connected, isGone, Received, refused, send, until } from './at-brokers.ts';
import { type SharedStore, STORES } from './stores.ts';

const IN_USE = /403 .*in exclusive use/;

for (const [name, startStore] of Object.entries(STORES)) {
  describe(`brokers side by side on ${name}`, () => {
    let store: SharedStore;
    let first: Broker;
    let second: Broker;
    const start = (): Promise<Broker> => startBroker({ store: store.url, amqp: { port: 0 } });

    before(async () => {
      store = await startStore();
      [first, second] = await Promise.all([start(), start()]);
    });
    after(async () => {
      await Promise.all([first.close(), second.close()]);
      await store.stop();
    });

    it('find at once what was declared at another, and share its messages', async (t) => {
      const [here, there] = [await channelAt(t, first), await channelAt(t, second)];
      await here.assertExchange('logs', 'topic');
      for (const queue of ['logs-1', 'logs-2', 'logs-3']) {
        await here.assertQueue(queue);
        await here.bindQueue(queue, 'logs', `*.${queue}`);
        const received = await Received.from(there, queue);
        here.publish('logs', `a.${queue}`, Buffer.from(queue));
        await until('a message', () => received.messages.length === 1, 2_000);
        assert.deepEqual(received.texts, [queue]);
        await there.deleteQueue(queue);
        assert.equal(await isGone(t, first, queue), true);
      }
    });

    it('lose nothing that is sent to a queue as soon as another has answered its declaration', async (t) => {
      const [here, there] = [await channelAt(t, first), await channelAt(t, second)];
      const returned: string[] = [];
      there.on('return', ({ fields }: Message) => returned.push(fields.routingKey));
      const queues = Array.from({ length: 50 }, (_, i) => `new-${i}`);
      await here.assertExchange('news', 'direct');
      const declared = queues.map(async (queue) => {
        await here.assertQueue(queue);
        there.sendToQueue(queue, Buffer.from('1'), { mandatory: true });
        await here.bindQueue(queue, 'news', queue);
        there.publish('news', queue, Buffer.from('2'), { mandatory: true });
      });
      await Promise.all(declared);
      await there.waitForConfirms();
      assert.deepEqual(returned, []);
      for (const queue of queues) {
        const messages = [await here.get(queue), await here.get(queue)];
        const texts = messages.map((message) => message && message.content.toString());
        assert.deepEqual(texts, ['1', '2']);
        await here.deleteQueue(queue);
      }
    });

    it('keep a queue for the connection at one that it is exclusive to', async (t) => {
      const connection = await connected(t, first);
      const channel = await connection.createChannel();
      await channel.assertQueue('mine', { exclusive: true });
      await refused(t, second, (other) => other.assertQueue('mine', { exclusive: true }), /405/);
      await refused(t, second, (other) => other.checkQueue('mine'), /405/);
      await refused(t, second, (other) => other.consume('mine', () => {}), /405/);
      await connection.close();
      await (await channelAt(t, second)).assertQueue('mine', { exclusive: true });
    });

    it('keep a queue for an exclusive consumer', async (t) => {
      const [here, there] = [await channelAt(t, first), await channelAt(t, second)];
      const consume = async (channel: typeof here, exclusive: boolean): Promise<string> =>
        (await channel.consume('alone', () => {}, { exclusive })).consumerTag;
      await here.assertQueue('alone');
      const ordinary = await consume(here, false);
      await refused(
        t,
        second,
        (other) => other.consume('alone', () => {}, { exclusive: true }),
        IN_USE,
      );
      const beside = await consume(there, false);
      await there.cancel(beside);
      await here.cancel(ordinary);
      const exclusive = await consume(there, true);
      await refused(t, first, (other) => other.consume('alone', () => {}), IN_USE);
      await refused(
        t,
        first,
        (other) => other.consume('alone', () => {}, { exclusive: true }),
        IN_USE,
      );
      await there.cancel(exclusive);
      await consume(here, true);
    });

    it('let one of two exclusive consumers have a queue that come at once', async (t) => {
      const channels = [await channelAt(t, first), await channelAt(t, second)];
      for (let round = 0; round < 5; round++) {
        const queue = `contested-${round}`;
        await channels[0]!.assertQueue(queue);
        const ends = await Promise.allSettled(
          [first, second].map(async (broker) => {
            const channel = await channelAt(t, broker);
            await channel.consume(queue, () => {}, { exclusive: true });
          }),
        );
        const refusals = ends.filter(({ status }) => status === 'rejected');
        assert.equal(refusals.length, 1, `round ${round}`);
      }
    });

    it('have one consumer active, and another when it is cancelled', async (t) => {
      const [here, there] = [await channelAt(t, first), await channelAt(t, second)];
      const single = { arguments: { 'x-single-active-consumer': true } };
      await here.assertQueue('turns', single);
      const one = await Received.from(here, 'turns');
      const other = await Received.from(there, 'turns');
      for (let i = 0; i < 20; i++) await send(there, 'turns', String(i));
      await until('all messages', () => one.messages.length === 20);
      assert.deepEqual(other.texts, []);
      await here.cancel(one.tag);
      await send(here, 'turns', 'next');
      const waited = await until('the next one’s turn', () => other.messages.length === 1);
      assert.ok(waited < 1_000, `${waited} ms`);
      const again = await Received.from(here, 'turns');
      await send(here, 'turns', 'last');
      await until('the last message', () => other.messages.length === 2);
      assert.deepEqual(again.texts, []);
      await there.cancel(other.tag);
      await there.close();
      await send(here, 'turns', 'back');
      await until('its turn again', () => again.messages.length === 1, 2_000);
    });

    it('delete a queue with auto-delete when it has no consumer at any', async (t) => {
      const [here, there] = [await channelAt(t, first), await channelAt(t, second)];
      await here.assertQueue('passing', { autoDelete: true });
      const one = await Received.from(here, 'passing');
      const other = await Received.from(there, 'passing');
      await here.cancel(one.tag);
      await send(here, 'passing', 'still there');
      await until('a message', () => other.messages.length === 1);
      await refused(
        t,
        first,
        (channel) => channel.deleteQueue('passing', { ifUnused: true }),
        /406/,
      );
      await there.cancel(other.tag);
      assert.equal(await isGone(t, first, 'passing'), true);
      assert.equal(await isGone(t, second, 'passing'), true);
    });

    it('note down nothing of ordinary queues, and leave no notes', async (t) => {
      const mq = await MessageQueueSystem.open({ storage: store.url });
      t.after(() => mq.close());
      const notes = async (): Promise<string[]> => {
        const entries = await (mq.storage as Driver).topology.load();
        return entries.filter(({ kind }) => kind === 'amqp').map(({ name: noted }) => noted);
      };
      const here = await channelAt(t, first);
      await here.assertQueue('ordinary');
      await here.assertQueue('ordinary-own', { exclusive: true, autoDelete: true });
      for (const queue of ['ordinary', 'ordinary-own']) await Received.from(here, queue);
      const present = await notes();
      assert.deepEqual(
        present.filter((noted) => noted.includes('ordinary')),
        [],
      );
      assert.equal(present.filter((noted) => noted.startsWith('broker/')).length, 2);
      await here.assertQueue('noted', { autoDelete: true });
      await Received.from(here, 'noted');
      assert.ok((await notes()).includes('consumers/noted'));
      await Promise.all([first.close(), second.close()]);
      assert.deepEqual(await notes(), []);
      [first, second] = await Promise.all([start(), start()]);
    });

    it('keep what is not durable as long as one of them lives', async (t) => {
      const here = await channelAt(t, first);
      await here.assertQueue('transient', { durable: false });
      await here.assertExchange('transient', 'fanout', { durable: false });
      await here.assertQueue('lasting');
      await second.close();
      second = await start();
      const there = await channelAt(t, second);
      await there.checkQueue('transient');
      await there.checkExchange('transient');
      await Promise.all([first.close(), second.close()]);
      [first, second] = await Promise.all([start(), start()]);
      for (const broker of [first, second]) {
        assert.equal(await isGone(t, broker, 'transient'), true);
        await refused(t, broker, (channel) => channel.checkExchange('transient'), /404/);
        assert.equal(await isGone(t, broker, 'lasting'), false);
      }
    });
  });
}
