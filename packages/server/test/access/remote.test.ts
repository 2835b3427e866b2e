/** Programs that have a virtual host's store open over the network: what they may, and no more. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Driver, MessageQueueSystem } from 'wherry';
import { unboundedQueue } from '../../../wherry/src/testing/suite/fixture.ts';
import type { Broker } from '../../src/index.ts';
import { ACCESS_KINDS } from '../../src/access/documents.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';
import { basic } from './fixture.ts';

const ALL = { configure: ['*'], write: ['*'], read: ['*'] };

/** As core names a queue to its store. */
const REF = unboundedQueue('forged', 0);

let broker: Broker;
let root: Client;
before(async () => {
  broker = await startBroker({ users: [{ name: 'root', password: 'correct horse', admin: true }] });
  root = new Client(broker, { authorization: basic('root', 'correct horse') });
  await root.call('PUT', 'vhosts/shop');
  await root.call('PUT', 'queues/main', {});
});
after(() => broker.close({ deadline: 0 }));

async function makeToken(name: string, permissions: readonly object[]): Promise<string> {
  const { secret } = await root.call<{ secret: string }>('POST', 'tokens', { name, permissions });
  return secret;
}

test('a store is for those with all rights in its virtual host', async (t) => {
  const token = await makeToken('shop', [{ vhost: 'shop', ...ALL }]);
  const mq = await MessageQueueSystem.open({ storage: `${broker.url}/vhosts/shop`, token });
  t.after(() => mq.close({ deadline: 0 }));
  assert.deepEqual(
    mq.listQueues().map(({ name }) => name),
    ['dead-letter'],
  );
  const some = await makeToken('some', [{ ...ALL, write: ['a*'] }]);
  for (const refused of [token, some]) {
    await assert.rejects(MessageQueueSystem.open({ storage: broker.url, token: refused }), {
      code: 'STORAGE_AUTH',
    });
  }
});

test('accounts are not to be seen, changed or removed by it', async (t) => {
  const token = await makeToken('main', [ALL]);
  const mq = await MessageQueueSystem.open({ storage: broker.url, token });
  t.after(() => mq.close({ deadline: 0 }));
  const driver = mq.storage as Driver;
  const kinds = new Set((await driver.topology.load()).map(({ kind }) => kind));
  for (const kind of Object.values(ACCESS_KINDS)) {
    assert.ok(!kinds.has(kind), kind);
    const value = { passwordHash: '', admin: true, permissions: [], createdAt: 0 };
    await assert.rejects(driver.topology.put({ kind, name: 'eve', value }, 0), {
      code: 'FORBIDDEN',
    });
    await assert.rejects(driver.topology.remove(kind, 'main', 1), { code: 'FORBIDDEN' });
  }
  // Documents of all kinds have numbers, and a queue is deleted by its.
  const numbers = new Set(mq.listQueues().map((queue) => queue.number));
  for (let number = 1; number <= 30; number++) {
    if (numbers.has(number)) continue;
    const forged = { ...REF, number };
    await driver.deleteQueue(forged, { onlyIfEmpty: false }).catch(() => undefined);
  }
  const { tokens } = await root.call<{ tokens: { name: string }[] }>('GET', 'tokens');
  assert.ok(tokens.some(({ name }) => name === 'main'));
  assert.equal((await root.ask('GET', 'vhosts/shop')).status, 200);
});

test('whose token is deleted is cut off', async (t) => {
  const token = await makeToken('leaver', [ALL]);
  const mq = await MessageQueueSystem.open({ storage: broker.url, token });
  t.after(() => mq.close({ deadline: 0 }));
  await mq.sendMessage('main', { payload: 1 });
  await root.call('DELETE', 'tokens/leaver');
  await assert.rejects(
    (async () => {
      const deadline = Date.now() + 10_000;
      while (Date.now() < deadline) await mq.sendMessage('main', { payload: 2 });
    })(),
    { code: 'STORAGE_AUTH' },
  );
});

test('a virtual host that is deleted is closed to them', async (t) => {
  await root.call('PUT', 'vhosts/short');
  const token = await makeToken('short', [{ vhost: 'short', ...ALL }]);
  const storage = `${broker.url}/vhosts/short`;
  const mq = await MessageQueueSystem.open({ storage, token });
  t.after(() => mq.close({ deadline: 0 }));
  await mq.createQueue({ name: 'orders' });
  await root.call('DELETE', 'vhosts/short?force=true');
  await root.call('PUT', 'vhosts/short');
  const { queues } = await root.call<{ queues: { name: string }[] }>('GET', 'vhosts/short/queues');
  assert.ok(!queues.some(({ name }) => name === 'orders'));
});
