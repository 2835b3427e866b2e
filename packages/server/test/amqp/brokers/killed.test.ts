/** A broker is killed, or hangs: the others clear what it had, and go on. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Broker } from '../../../src/index.ts';
import { ChildBroker } from '../../brokers/child-broker.ts';
import { startBroker } from '../../broker.ts';
import { BROKER_TIMEOUT_MS, channelAt, isGone, Received, send, until } from './at-brokers.ts';
import { type SharedStore, STORES } from './stores.ts';

const SINGLE = { arguments: { 'x-single-active-consumer': true } };
/** How much later than it should a busy machine may come to something. */
const LATE_MS = 3_000;
const DEAD_WITHIN_MS = BROKER_TIMEOUT_MS + LATE_MS;
/** Leases are twice as long as the time after which a broker counts as dead. */
const BACK_WITHIN_MS = 2 * BROKER_TIMEOUT_MS + LATE_MS;

// They wait most of the time: for one store as well as for all.
describe('brokers on one store', { concurrency: true }, () => {
  for (const [name, startStore] of Object.entries(STORES)) {
    describe(`a broker among others on ${name}`, { concurrency: false }, () => {
      const amqp = { enabled: true, port: 0, brokerTimeout: BROKER_TIMEOUT_MS };
      let store: SharedStore;
      let living: Broker;
      let victim: ChildBroker;

      before(async () => {
        store = await startStore();
        const started = await Promise.all([
          startBroker({ store: store.url, amqp }),
          ChildBroker.start(store.url, 0, { amqp }),
        ]);
        [living, victim] = started;
      });
      after(async () => {
        await victim[Symbol.asyncDispose]();
        await living.close();
        await store.stop();
      });

      it('that hangs is taken for dead, and knows it when it goes on', async (t) => {
        const [here, there] = [await channelAt(t, living), await channelAt(t, victim)];
        await here.assertQueue('paused', SINGLE);
        await here.assertQueue('paused-alone');
        const first = await Received.from(there, 'paused');
        const alone = await Received.from(there, 'paused-alone', { exclusive: true });
        const second = await Received.from(here, 'paused');
        process.kill(victim.pid, 'SIGSTOP');
        t.after(() => process.kill(victim.pid, 'SIGCONT'));
        await send(here, 'paused', 'taken over');
        await until('the turn', () => second.messages.length === 1, DEAD_WITHIN_MS);
        const taken = await Received.from(here, 'paused-alone', { exclusive: true });
        process.kill(victim.pid, 'SIGCONT');
        await until('the cancellation', () => alone.isCancelled, DEAD_WITHIN_MS);
        await send(here, 'paused', 'still its turn');
        await send(here, 'paused-alone', 'the new one’s');
        await until('more', () => second.messages.length + taken.messages.length === 3);
        assert.deepEqual(second.texts, ['taken over', 'still its turn']);
        assert.deepEqual(taken.texts, ['the new one’s']);
        assert.deepEqual([...first.texts, ...alone.texts], []);
        await here.cancel(second.tag);
        await send(here, 'paused', 'back');
        await until('its turn again', () => first.messages.length === 1);
      });

      it('that is killed leaves nothing behind, and its messages come back', async (t) => {
        const [here, there] = [await channelAt(t, living), await channelAt(t, victim)];
        await there.assertQueue('own', { exclusive: true });
        await there.assertQueue('passing', { autoDelete: true });
        await Received.from(there, 'passing');
        await there.assertQueue('kept', { autoDelete: true });
        await Received.from(there, 'kept');
        await Received.from(here, 'kept');
        await there.assertQueue('alone');
        await Received.from(there, 'alone', { exclusive: true });
        await there.assertQueue('turns', SINGLE);
        const active = await Received.from(there, 'turns');
        const next = await Received.from(here, 'turns');
        await there.assertQueue('work');
        for (const text of ['acknowledged', 'in hand 1', 'in hand 2'])
          await send(here, 'work', text);
        const held = await Received.from(there, 'work', { ack: false });
        // More, where the machine stood still for longer than the short leases of this test.
        await until('messages in hand', () => held.messages.length >= 3);
        there.ack(held.messages[0]!);
        await send(there, 'turns', 'before');
        await until('the active consumer', () => active.messages.length === 1);
        // An answer on the channel says that the acknowledgements before it are stored.
        await there.checkQueue('work');

        await victim.kill();
        const killedAt = performance.now();
        await send(here, 'turns', 'after');
        await until('the turn', () => next.messages.length === 1, DEAD_WITHIN_MS);
        assert.deepEqual(next.texts, ['after']);
        await until('the exclusive queue is gone', () => isGone(t, living, 'own'));
        await until('the last consumer’s queue is gone', () => isGone(t, living, 'passing'));
        await here.assertQueue('own', { exclusive: true });
        await here.checkQueue('kept');
        await Received.from(here, 'alone', { exclusive: true });
        const took = performance.now() - killedAt;
        assert.ok(took < DEAD_WITHIN_MS, `${took} ms`);

        const again = await Received.from(here, 'work');
        const left = BACK_WITHIN_MS - (performance.now() - killedAt);
        await until('messages again', () => again.messages.length === 2, left);
        assert.deepEqual(again.texts, ['in hand 1', 'in hand 2']);
        for (const { fields } of again.messages) assert.equal(fields.redelivered, true);
      });
    });
  }
});
