import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import type { QueueInfo } from '../../src/index.ts';
import { TestStore } from './harness.ts';

interface Report {
  readonly durability: string;
  readonly messages: number;
  readonly bytes: number;
  readonly phases: {
    name: string;
    messages: number;
    perSecond: number;
    p50Ms: number;
    p99Ms: number;
  }[];
}

test('bench measures sends and consumption, and leaves the store as it was', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const report = await store.json<Report>(['bench', '--messages', '500', '--size', '1kb']);
  assert.deepEqual([report.durability, report.messages, report.bytes], ['power', 500, 1_024]);
  assert.deepEqual(
    report.phases.map(({ name, messages }) => [name, messages]),
    [
      ['send, one at a time', 500],
      ['send, 1,000 outstanding', 500],
      ['consume', 500],
    ],
  );
  for (const { perSecond, p50Ms, p99Ms } of report.phases) {
    assert.ok(perSecond > 0 && p50Ms > 0 && p99Ms >= p50Ms);
  }
  const queues = await store.json<QueueInfo[]>(['queue', 'list']);
  assert.deepEqual(
    queues.map(({ name }) => name),
    ['dead-letter', 'orders'],
  );
});

test('bench on a folder that is not there removes what it made', async () => {
  const store = new TestStore();
  const table = await store.ok(['bench', '--messages', '50']);
  assert.match(
    table,
    /^50 messages of 100 bytes; what was confirmed survives a power cut\.\nPHASE +MESSAGES +PER SECOND/,
  );
  assert.equal(existsSync(store.path), false);
});

test('bench cleans up when it is interrupted', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const answer = await store.call(['bench', '--messages', '1000000'], {
    signal: AbortSignal.timeout(300),
  });
  assert.equal(answer.code, 130);
  const queues = await store.json<QueueInfo[]>(['queue', 'list']);
  assert.deepEqual(
    queues.map(({ name }) => name),
    ['dead-letter', 'orders'],
  );
});
