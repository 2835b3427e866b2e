import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRedis } from '../../../wherry/test/servers/redis.ts';
import type { Broker } from '../../src/index.ts';
import { managementOf, startBoth } from './management-client.ts';

test('what one broker has declared, another on the same store has at once', async (t) => {
  const redis = await startRedis();
  const brokers: Broker[] = [];
  t.after(async () => {
    await Promise.all(brokers.map((broker) => broker.close({ deadline: 0 })));
    await redis.stop();
  });
  brokers.push(...(await Promise.all([1, 2].map(() => startBoth({ store: redis.url })))));
  const [here, there] = brokers.map((broker) => managementOf(broker));
  const json = {};
  for (let i = 0; i < 3; i++) {
    const name = `late-${i}`;
    assert.equal((await here!('PUT', `/queues/%2F/${name}`, { json })).status, 201);
    assert.equal((await there!('PUT', `/queues/%2F/${name}`, { json })).status, 204);
    assert.equal((await here!('PUT', `/exchanges/%2F/${name}`, { json })).status, 201);
    const bound = await there!('POST', `/bindings/%2F/e/${name}/q/${name}`, { json });
    assert.equal(bound.status, 201);
    const message = { properties: {}, routing_key: '', payload: 'x', payload_encoding: 'string' };
    const path = `/exchanges/%2F/${name}/publish`;
    assert.deepEqual((await there!('POST', path, { json: message })).body, { routed: true });
    const look = { count: 1, ackmode: 'ack_requeue_false', encoding: 'auto' };
    const got = (await here!('POST', `/queues/%2F/${name}/get`, { json: look })).body;
    assert.equal(got.length, 1);
    assert.equal((await there!('DELETE', `/queues/%2F/${name}`)).status, 204);
  }
});
