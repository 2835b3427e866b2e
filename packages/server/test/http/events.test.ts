import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { type Client, clientOf, until } from './client.ts';

let broker: Broker;
let ask: Client;

before(async () => {
  broker = await startBroker();
  ask = clientOf(broker);
  for (const name of ['a,b', 'c']) await ask('PUT', `/queues/${encodeURIComponent(name)}`);
});
after(() => broker.close());

interface ServerEvent {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** Listens until it is stopped; keeps what it heard. */
async function listen(query: string, from: Pick<Broker, 'url'> = broker) {
  const controller = new AbortController();
  const { signal } = controller;
  const response = await fetch(`${from.url}/api/v1/events?${query}`, { signal });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const heard: ServerEvent[] = [];
  const done = (async () => {
    let text = '';
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString();
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const type = /^event: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (type === undefined) continue;
        heard.push({ type, data: JSON.parse(data!) as Record<string, unknown> });
      }
    }
  })().catch(() => {});
  return { heard, done, stop: () => controller.abort() };
}

test('what happens is told, of the queues and types that were asked for', async (t) => {
  const all = await listen('');
  const some = await listen('queues=a%252Cb&types=enqueued,acknowledged');
  t.after(() => [all.stop(), some.stop()]);
  for (const path of ['/queues/a%2Cb', '/queues/c']) {
    await ask('POST', `${path}/messages`, { json: { payload: 1 } });
    const { body } = await ask('POST', `${path}/receive`);
    const receipts = [body.messages[0].receipt];
    await ask('POST', `${path}/acknowledge`, { json: { receipts } });
  }
  await until(() => all.heard.length === 6);
  assert.deepEqual(
    all.heard.map(({ type, data }) => `${type} ${String(data['queue'])}`),
    ['a,b', 'c'].flatMap((queue) => [
      `enqueued ${queue}`,
      `delivered ${queue}`,
      `acknowledged ${queue}`,
    ]),
  );
  assert.deepEqual(
    some.heard.map(({ type, data }) => [type, data['queue']]),
    [
      ['enqueued', 'a,b'],
      ['acknowledged', 'a,b'],
    ],
  );
});

test('a flood is thinned out, and how much was left out is told', async (t) => {
  const { heard, stop } = await listen('types=enqueued');
  t.after(stop);
  const messages = Array.from({ length: 1_000 }, () => ({ payload: 1 }));
  for (let i = 0; i < 3; i++) await ask('POST', '/queues/c/messages/batch', { json: { messages } });
  await until(() => heard.some(({ type }) => type === 'skipped'));
  const told = heard.filter(({ type }) => type === 'enqueued').length;
  const skipped = heard.find(({ type }) => type === 'skipped')!;
  assert.ok(told <= 2_000, `${told} were told`);
  assert.ok((skipped.data['count'] as number) >= 1_000);
});

test('an unknown type is refused', async () => {
  const { status, body } = await ask('GET', '/events?types=enqueued,dequeued');
  assert.deepEqual([status, body.field], [400, 'query.types']);
});

test('closing the broker ends the stream with a word', async (t) => {
  const own = await startBroker();
  t.after(() => own.close());
  const { heard, done } = await listen('', own);
  await own.close();
  await done;
  assert.equal(heard.at(-1)!.type, 'closing');
});
