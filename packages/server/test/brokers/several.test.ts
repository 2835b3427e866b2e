/** Several brokers on the same queues: one is killed while it hands out messages, nothing is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPostgres } from '../../../wherry/test/servers/postgres.ts';
import { startRedis } from '../../../wherry/test/servers/redis.ts';
import { ChildBroker } from './child-broker.ts';

const QUEUE = '/api/v1/queues/orders';
const MESSAGES = 400;
const BATCH = 20;
const LEASE_MS = 3_000;

interface Received {
  readonly messages: readonly { readonly receipt: string; readonly payload: number }[];
}

async function call<Answer>(url: string, method: string, body: unknown = {}): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  const answer = await response.text();
  assert.ok(response.ok, `${method} ${url}: ${response.status} ${answer}`);
  return JSON.parse(answer) as Answer;
}

/** @returns those that were still held, which a busy machine may not have managed in time */
async function acknowledge(
  { url }: ChildBroker,
  messages: Received['messages'],
): Promise<Received['messages']> {
  const receipts = messages.map(({ receipt }) => receipt);
  const answer = await call<{ results: { ok: boolean }[] }>(`${url}${QUEUE}/acknowledge`, 'POST', {
    receipts,
  });
  return messages.filter((_, i) => answer.results[i]!.ok);
}

const servers = { redis: startRedis, postgres: startPostgres };

for (const [name, start] of Object.entries(servers)) {
  test(`a broker on ${name} is killed, and the others have all it had`, async (t) => {
    const server = await start();
    t.after(() => server.stop());
    const brokers = [ChildBroker.start(server.url), ChildBroker.start(server.url)];
    await using first = await brokers[0]!;
    await using second = await brokers[1]!;
    await call(first.url + QUEUE, 'PUT', { leaseDuration: LEASE_MS });

    // What one broker has answered, every other knows, for each queue that is made.
    for (let n = 0; n < 10; n += 1) {
      await call(`${first.url}${QUEUE}-${n}`, 'PUT');
      await call(`${second.url}${QUEUE}-${n}/messages`, 'POST', { payload: n });
    }

    const confirmed = new Set<number>();
    const handled = new Set<number>();
    const send = async ({ url }: ChildBroker, from: number): Promise<void> => {
      const messages = Array.from({ length: BATCH }, (_, i) => ({ payload: from + i }));
      await call(`${url}${QUEUE}/messages/batch`, 'POST', { messages });
      for (const { payload } of messages) confirmed.add(payload);
    };
    const receive = ({ url }: ChildBroker, wait: string): Promise<Received> =>
      call(`${url}${QUEUE}/receive`, 'POST', { max: BATCH, wait });

    for (let from = 0; from < MESSAGES; from += BATCH) {
      await send(from % (2 * BATCH) === 0 ? first : second, from);
    }
    // It is killed with messages in its clients' hands, a send and a long poll under way.
    const held = await receive(first, '0s');
    assert.equal(held.messages.length, BATCH);
    const interrupted = [send(first, MESSAGES), receive(first, '10s')].map((one) =>
      one.catch(() => 'cut'),
    );
    await first.kill();
    await Promise.all(interrupted);

    // What it had handed out can still be settled, by whoever has the receipt, through any other.
    const [saved, ...left] = held.messages;
    assert.deepEqual(await acknowledge(second, [saved!]), [saved]);
    handled.add(saved!.payload);

    const again = new Set(left.map(({ payload }) => payload));
    const deadline = performance.now() + 20_000;
    while ([...confirmed].some((payload) => !handled.has(payload))) {
      assert.ok(performance.now() < deadline, `${handled.size} of ${confirmed.size} came`);
      const { messages } = await receive(second, '1s');
      for (const { payload } of messages) {
        assert.ok(!handled.has(payload), `${payload} came again after it was acknowledged`);
        again.delete(payload);
      }
      for (const { payload } of await acknowledge(second, messages)) handled.add(payload);
    }
    assert.equal(again.size, 0);
    t.diagnostic(`1 broker killed, ${confirmed.size} confirmed, ${handled.size} handled, 0 lost`);
  });
}
