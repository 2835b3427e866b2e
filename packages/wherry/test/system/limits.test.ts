import assert from 'node:assert/strict';
import { type MessageQueueSystem, UnsupportedError, ValidationError } from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';

/** Handlers that go on until they are let go, and who of them runs. */
class Gate {
  readonly begun: unknown[] = [];
  readonly #waiting: (() => void)[] = [];
  running = 0;
  most = 0;

  async pass(payload: unknown): Promise<void> {
    this.begun.push(payload);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.running -= 1;
  }

  /** Lets the one go that came first. */
  open(): void {
    this.#waiting.shift()?.();
  }
}

/** Two consumers that would take all they can, with the same handler. */
async function consume(
  mq: MessageQueueSystem,
  handler: (payload: unknown) => Promise<void> | void,
): Promise<void> {
  for (const id of ['one', 'two']) {
    await mq.createConsumer({
      id,
      queueName: 'q',
      concurrency: 8,
      handler: ({ payload }) => handler(payload),
    });
  }
}

async function sendAll(
  mq: MessageQueueSystem,
  payloads: readonly unknown[],
  groupId?: string,
): Promise<void> {
  const messages = payloads.map((payload) => ({ payload, ...(groupId && { groupId }) }));
  await mq.sendBatch('q', messages);
}

const EIGHT = [1, 2, 3, 4, 5, 6, 7, 8];

eachStore('limits: maxInFlight holds over all consumers', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxInFlight: 3 });
  const gate = new Gate();
  await consume(mq, (payload) => gate.pass(payload));
  await sendAll(mq, EIGHT);
  for (let ended = 0; ended < 8; ended += 1) {
    await until(() => gate.begun.length === Math.min(8, 3 + ended));
    assert.equal((await mq.getQueueInfo('q')).leased, Math.min(3, 8 - ended));
    gate.open();
    await until(async () => (await mq.getQueueInfo('q')).messageCount === 7 - ended);
  }
  assert.equal(gate.most, 3);
  assert.deepEqual(gate.begun, EIGHT);
});

eachStore('limits: maxInFlight is changed while messages are handled', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', maxInFlight: 1 });
  const gate = new Gate();
  await consume(mq, (payload) => gate.pass(payload));
  await sendAll(mq, EIGHT);
  await until(() => gate.begun.length === 1);
  await mq.updateQueue('q', { maxInFlight: 4 });
  await until(() => gate.begun.length === 4);
  await mq.updateQueue('q', { maxInFlight: 2 });
  for (const left of [7, 6]) {
    gate.open();
    await until(async () => (await mq.getQueueInfo('q')).messageCount === left);
  }
  assert.equal(gate.begun.length, 4, 'two are handled, two may be');
  gate.open();
  await until(() => gate.begun.length === 5);
  await mq.updateQueue('q', { maxInFlight: null });
  await until(() => gate.begun.length === 8);
  for (const _ of EIGHT) gate.open();
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
});

eachStore('limits: a rate limit holds over all consumers', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', rateLimit: { max: 2, per: '1s' } });
  const seen: unknown[] = [];
  await consume(mq, (payload) => void seen.push(payload));
  await sendAll(mq, EIGHT);
  await until(() => seen.length === 2);
  await advance(499);
  assert.equal(seen.length, 2);
  await advance(1);
  await until(() => seen.length === 3);
  await advance(499);
  assert.equal(seen.length, 3);
  await advance(1);
  await until(() => seen.length === 4);
  await mq.updateQueue('q', { rateLimit: { max: 2, per: '10s' } });
  await advance(4_999);
  assert.equal(seen.length, 4);
  await advance(1);
  await until(() => seen.length === 5);
  await mq.updateQueue('q', { rateLimit: null });
  await until(() => seen.length === 8);
  assert.deepEqual(seen, EIGHT);
});

eachStore('limits: a group rate limit holds back its group alone', async ({ open, advance }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', groupRateLimit: { max: 1, per: '1s' } });
  const seen: unknown[] = [];
  await consume(mq, (payload) => void seen.push(payload));
  await sendAll(mq, ['a1', 'a2', 'a3'], 'a');
  await sendAll(mq, ['b1', 'b2'], 'b');
  await sendAll(mq, ['plain']);
  await until(() => seen.length === 3);
  assert.deepEqual(new Set(seen), new Set(['a1', 'b1', 'plain']));
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 3);
  await advance(1_000);
  await until(() => seen.length === 5);
  assert.deepEqual(new Set(seen.slice(3)), new Set(['a2', 'b2']));
  await advance(1_000);
  await until(() => seen.length === 6);
  assert.equal(seen[5], 'a3');
});

eachStore('G11 groupMaxInFlight: so many of a group at once, begun in order', async ({ open }) => {
  const mq = await open();
  await mq.createQueue({ name: 'q', groupMaxInFlight: 2 });
  const gate = new Gate();
  await consume(mq, (payload) => gate.pass(payload));
  await sendAll(mq, EIGHT.slice(0, 5), 'g');
  await until(() => gate.begun.length === 2);
  gate.open();
  await until(() => gate.begun.length === 3);
  assert.equal(gate.most, 2);
  await mq.updateQueue('q', { groupMaxInFlight: 3 });
  gate.open();
  await until(() => gate.begun.length === 5);
  assert.equal(gate.most, 3);
  assert.deepEqual(new Set(gate.begun), new Set([1, 2, 3, 4, 5]));
  for (const _ of EIGHT) gate.open();
  await until(async () => (await mq.getQueueInfo('q')).messageCount === 0);
});

eachStore('limits: what a limit cannot be is refused', async ({ open }) => {
  const mq = await open();
  for (const wrong of [
    { maxInFlight: 0 },
    { groupMaxInFlight: 1.5 },
    { rateLimit: { max: 0, per: '1s' } },
    { rateLimit: { max: 1, per: 0 } },
    { rateLimit: { max: 1, per: '2d' } },
    { groupRateLimit: { max: 5 } },
  ]) {
    await assert.rejects(mq.createQueue({ name: 'q', ...wrong } as never), ValidationError);
  }
});

eachStore('partitions are refused by a store that is one place', async ({ open }) => {
  const mq = await open();
  const { partitions } = mq.storage.supports;
  const create = (): Promise<unknown> => mq.createQueue({ name: 'q', partitions: 4 });
  if (partitions === true) await create();
  else {
    await assert.rejects(create(), (error: Error) => {
      assert.ok(error instanceof UnsupportedError);
      return error.message.includes(partitions);
    });
    await mq.createQueue({ name: 'q' });
  }
  await assert.rejects(mq.updateQueue('q', { partitions: 2 }), ValidationError);
});
