/** The benchmarks on real servers run, and say what their targets came to. Peers are not installed here. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../../../scripts/find-files.ts';
import { runCommand } from '../../../scripts/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** @returns the metrics with a target, each with its target */
async function runQuick(name: string, ...args: string[]): Promise<[string, number][]> {
  const file = join(root, 'bench', `${name}.ts`);
  const options = ['--quick', '--json', '--dir', folder, ...args];
  const tsx = ['--import', import.meta.resolve('tsx'), file];
  const { code, output } = await runCommand(process.execPath, [...tsx, ...options]);
  assert.equal(code, 0, output);
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  assert.deepEqual(readdirSync(folder), []);
  return lines.map((line) => {
    const { bench, metric, ours, target, met } = JSON.parse(line) as Record<string, unknown>;
    assert.equal(bench, name);
    assert.ok((ours as number) > 0);
    assert.equal(typeof met, 'boolean');
    return [metric as string, target as number];
  });
}

test('redis compares with raw streams on the same server', async () => {
  assert.deepEqual(await runQuick('redis', '--without', 'bullmq', '--without', 'beequeue'), [
    ['send-streams-100b', 0.7],
    ['consume-streams-100b', 0.7],
    ['both-streams-100b', 0.7],
    ['waiting-100b', 300],
  ]);
});

test('postgres compares with plain statements on the same server', async () => {
  // Of the other contests, which are the same, those of redis are run.
  const only = ['--only', '*-raw-100b'];
  assert.deepEqual(await runQuick('postgres', ...only), [
    ['send-raw-100b', 0.5],
    ['consume-raw-100b', 0.5],
  ]);
});

test('redis-partitions spreads a queue over masters', async () => {
  assert.deepEqual(await runQuick('redis-partitions'), [
    ['busiest-node-cpu-2', 0.65],
    ['busiest-node-cpu-3', 0.45],
  ]);
});

test('old-snapshot holds a snapshot open', async () => {
  assert.deepEqual(await runQuick('old-snapshot'), [['kept', 0.8]]);
});

test('flat-claims crowds the queues', async () => {
  const only = ['scheduled', 'groups'].flatMap((shape) => ['--only', `redis-consume-${shape}`]);
  assert.deepEqual(await runQuick('flat-claims', ...only), [
    ['redis-consume-scheduled', 0.9],
    ['redis-consume-groups', 0.9],
  ]);
});

test('many-queues waits with many queues', async () => {
  assert.deepEqual(await runQuick('many-queues', '--only', 'redis-idle-client'), [
    ['redis-idle-client', 0.01],
  ]);
});

test('http compares with a bare server', async () => {
  const only = ['send-batches', 'consume-batches', 'send-one'].flatMap((name) => ['--only', name]);
  assert.deepEqual(await runQuick('http', ...only), [
    ['send-batches', 25_000],
    ['consume-batches', 25_000],
  ]);
});

test('remote measures a broker and a shared folder', async () => {
  assert.deepEqual(await runQuick('remote', '--without', 'embedded'), [
    ['send-broker', 50_000],
    ['consume-broker', 50_000],
    ['send-share', 50_000],
    ['consume-share', 50_000],
  ]);
});
