import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { StorageError } from '../../src/core/errors.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { conformanceSuite, FaultyDriver, ManualClock } from '../../src/testing/index.ts';
import { unboundedQueue } from '../../src/testing/suite/fixture.ts';

conformanceSuite({
  name: 'faulty without faults',
  test,
  skip: (title, reason) => test(title, { skip: reason }),
  gaps: { reopen: 'around memory', crash: 'around memory' },
  model: { runs: 20 },
  createStore: async (clock) => ({
    connect: () => new FaultyDriver(createMemoryDriver({ clock })),
    remove: async () => undefined,
  }),
});

const queue = unboundedQueue('queue', 1);
const message = {
  encoding: 'text',
  body: 'a',
  bytes: 1,
  properties: null,
  priority: 0,
  delay: 0,
  deliverAt: null,
  ttl: null,
  groupId: null,
  deduplicationId: null,
} as const;

let driver: FaultyDriver;

beforeEach(async () => {
  driver = new FaultyDriver(createMemoryDriver({ clock: new ManualClock() }));
  await driver.open();
});

const publish = () => driver.publish([{ targets: [queue], message }]);
const readyCount = async (): Promise<number> => (await driver.counts(queue)).ready;

test('a call fails before it takes effect, and only that one', async () => {
  const error = new Error('planned');
  driver.plan({ method: 'publish', call: 2, when: 'before', error });
  await publish();
  await assert.rejects(publish, error);
  assert.equal(await readyCount(), 1);
  await publish();
  assert.equal(await readyCount(), 2);
  assert.equal(driver.callsOf('publish'), 3);
  assert.equal(driver.pendingFaults, 0);
});

test('a call fails after it took effect', async () => {
  driver.plan({ method: 'publish', call: 1, when: 'after', error: new Error('planned') });
  await assert.rejects(publish, /planned/);
  assert.equal(await readyCount(), 1);
});

test('calls are counted from the planning on', async () => {
  await publish();
  await publish();
  driver.failNext('publish');
  await readyCount();
  await assert.rejects(publish, StorageError);
  await publish();
  assert.equal(await readyCount(), 3);
});

test('a call waits before or after its effect', async () => {
  for (const { when, duringDelay } of [
    { when: 'before', duringDelay: 0 },
    { when: 'after', duringDelay: 1 },
  ] as const) {
    await driver.purge(queue);
    let goOn = (): void => undefined;
    const delay = (): Promise<void> =>
      new Promise((resolve) => {
        goOn = resolve;
      });
    driver.plan({ method: 'publish', call: 1, when, delay });
    const published = publish();
    assert.equal(await readyCount(), duringDelay);
    goOn();
    const [outcome] = await published;
    assert.equal(outcome?.status, 'stored');
    assert.equal(await readyCount(), 1);
  }
});

test('several faults of one call all happen: a late failure', async () => {
  const steps: string[] = [];
  const delay = async (): Promise<void> => {
    steps.push('waited');
  };
  driver.plan({ method: 'purge', call: 1, when: 'before', delay });
  driver.plan({ method: 'purge', call: 1, when: 'after', error: new Error('then failed') });
  await publish();
  await assert.rejects(() => driver.purge(queue), /then failed/);
  assert.deepEqual(steps, ['waited']);
  assert.equal(await readyCount(), 0);
});
