/** A broker that the others took for dead, and whose store fails just when it is there again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Driver, MessageQueueSystem, StorageError } from 'wherry';
import { Peers, type PeersFollower } from '../../../src/servers/amqp/peers/peers.ts';
import { until } from './at-brokers.ts';

test('what has to be done when it is there again is done until it succeeds', async (t) => {
  const mq = await MessageQueueSystem.open({ storage: 'memory:' });
  t.after(() => mq.close());
  const store = mq.storage as Driver;
  const errors: unknown[] = [];
  const peers = await Peers.open({
    store,
    instance: 'me',
    timeout: 150,
    onError: (error) => errors.push(error),
    onDeath: () => {},
  });
  t.after(() => peers.close());
  const done: string[] = [];
  const down = new StorageError('The store is down.', { code: 'STORAGE', retriable: true });
  const follower: PeersFollower = {
    look: async () => {},
    changed: () => {},
    returning: async () => void done.push('returning'),
    returned: async () => {
      done.push('returned');
      if (done.length === 2) throw down;
    },
  };
  await peers.begin(follower, async () => {});
  await until('its presence is removed', async () => {
    const { topology } = store;
    const own = (await topology.load()).find(({ name }) => name === 'broker/me')!;
    return topology.remove(own.kind, own.name, own.version);
  });
  await until('it was tried again', () => done.length === 3);
  assert.deepEqual(done, ['returning', 'returned', 'returned']);
  assert.deepEqual(errors, [down]);
  await until('it goes on as before', () => peers.has('me') && peers.isSure);
});
