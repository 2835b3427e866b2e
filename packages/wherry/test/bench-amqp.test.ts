/** The benchmark of AMQP runs without RabbitMQ, delivers exactly, and says what it measured. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { measureBacklog } from '../../../bench/amqp/backlog.ts';
import { measureLatency } from '../../../bench/amqp/latency.ts';
import { measureMemory } from '../../../bench/amqp/memory.ts';
import { startServers } from '../../../bench/amqp/servers.ts';
import { measureBoth, measureFanout, measureTraffic } from '../../../bench/amqp/traffic.ts';
import { type ClientName, CLIENTS } from '../../../bench/amqp/turns.ts';
import type { Figures, RunContext } from '../../../bench/harness/benchmark.ts';
import { root } from '../../../scripts/find-files.ts';
import { runCommand } from '../../../scripts/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const shared = join(folder, 'shared');
mkdirSync(shared);
const context: RunContext = { folder, shared, isQuick: true, settings: {}, beside: [] };
const stop = await startServers(context);
after(stop);

const workloads: Record<string, () => Promise<Figures>> = {
  ...Object.fromEntries(
    (Object.keys(CLIENTS) as ClientName[]).map((client) => [
      `both at once with ${client}`,
      () => measureBoth(context, { client, bytes: 100, depth: 10, connections: 1 }),
    ]),
  ),
  'many connections': () =>
    measureTraffic(context, { client: 'lean', bytes: 100, depth: 20, connections: 10 }),
  'fan-out': () =>
    measureFanout(context, { client: 'lean', bytes: 100, depth: 10, connections: 1 }),
  '500 per second': () => measureLatency(context, 'amqplib'),
  'messages that wait': () => measureMemory(context),
  'a deep queue': () => measureBacklog(context),
};

for (const [name, measure] of Object.entries(workloads)) {
  test(name, async () => {
    const figures = Object.entries(await measure());
    assert.ok(figures.length > 0);
    for (const [figure, value] of figures) {
      // A turn of so few messages may take less than a tick of the processor's clock.
      if (!figure.endsWith('cpu')) assert.ok(value > 0, `${figure} is ${value}`);
    }
  });
}

test('amqp compares a client with what it does when the server costs nothing', async () => {
  const directory = join(folder, 'bench');
  mkdirSync(directory);
  const only = ['--only', 'publish-amqplib-100b-*', '--only', 'consume-amqplib-100b-1000-sink'];
  const without = ['classic', 'quorum'].flatMap((server) => ['--without', server]);
  const file = join(root, 'bench', 'amqp.ts');
  const args = ['--import', import.meta.resolve('tsx'), file, '--quick', '--dir', directory];
  const { code, output } = await runCommand(process.execPath, [...args, ...only, ...without]);
  assert.equal(code, 0, output);
  assert.match(output, /left out: publish-amqplib-100b-1-classic, which needs classic/);
  for (const name of ['publish', 'consume']) {
    const row = `${name}-amqplib-100b-1000-sink +[\\d,]+ /s +[\\d,]+ /s {2}sink ${name} +[\\d.]+$`;
    assert.match(output, new RegExp(`^${row}`, 'm'));
  }
  assert.doesNotMatch(output, /^both-/m);
  assert.deepEqual(readdirSync(directory), []);
});
