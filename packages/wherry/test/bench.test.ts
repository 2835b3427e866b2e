/** The benchmarks run, say what their targets came to, and do not count a run that lost a message. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Metric } from '../../../bench/harness/benchmark.ts';
import { DeliveryCheck, InvalidRunError } from '../../../bench/harness/delivery-check.ts';
import { judge } from '../../../bench/harness/judge.ts';
import { median, quantile } from '../../../bench/harness/statistics.ts';
import { measureQueue } from '../../../bench/workloads/wherry.ts';
import { root } from '../../../scripts/find-files.ts';
import { runCommand } from '../../../scripts/run-command.ts';
import type { Driver, PublishItem, PublishOutcome } from '../src/core/driver.ts';
import { createMemoryDriver } from '../src/drivers/memory/index.ts';
import { SystemClock } from '../src/system-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  /** JSON lines apart, everything that was printed. */
  readonly text: string;
  readonly lines: Record<string, unknown>[];
}

async function runBench(file: string, ...args: string[]): Promise<Ended> {
  const tsx = import.meta.resolve('tsx');
  const { code, output } = await runCommand(process.execPath, ['--import', tsx, file, ...args]);
  const isJson = (line: string): boolean => line.startsWith('{');
  const all = output.split('\n');
  return {
    code,
    text: all.filter((line) => !isJson(line)).join('\n'),
    lines: all.filter(isJson).map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

const embedded = join(root, 'bench', 'embedded.ts');
const inFolder = ['--quick', '--without', 'plainjob', '--dir', folder];

test('embedded measures every target that needs no peer to be compiled', async () => {
  const { code, text, lines } = await runBench(embedded, '--json', ...inFolder);
  assert.equal(code, 0, text);
  assert.match(text, /left out: consume-plainjob-100b, which needs plainjob/);
  assert.deepEqual(
    lines.map(({ bench, metric, target }) => [bench, metric, target]),
    [
      ['embedded', 'send-100b', 0.5],
      ['embedded', 'consume-100b', 0.5],
      ['embedded', 'steady-send-p99', 3],
      ['embedded', 'idle-consumers', 0.01],
    ],
  );
  for (const line of lines) {
    const keys = ['bench', 'metric', 'ours', 'peer', 'ratio', 'target', 'met'];
    assert.deepEqual(Object.keys(line), keys);
    assert.equal(typeof line['ours'], 'number');
    assert.equal(typeof line['met'], 'boolean');
    if (line['metric'] === 'idle-consumers') assert.equal(line['peer'], null);
    else {
      const ratio = (line['ours'] as number) / (line['peer'] as number);
      assert.ok(Math.abs((line['ratio'] as number) / ratio - 1) < 0.001);
    }
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('backlog consumes from the depth of its queue', async () => {
  const backlog = join(root, 'bench', 'backlog.ts');
  const { code, text } = await runBench(backlog, '--quick', '--only', 'consume', '--dir', folder);
  assert.equal(code, 0, text);
  assert.match(text, /fdatasync .* p99 \d/);
  assert.match(text, /^consume +[\d,]+ \/s +[\d,]+ \/s {2}shallow +[\d.]+ +>= 0.9/m);
  assert.doesNotMatch(text, /^open /m);
  assert.deepEqual(readdirSync(folder), []);
});

for (const args of [
  ['--only', 'sent'],
  ['--without', 'rabbit'],
  ['--fast'],
  ['--dir', '/nowhere'],
  ['--set', 'minutes'],
]) {
  test(`refuses ${args.join(' ')}`, async () => {
    const { code, text } = await runBench(embedded, ...args);
    assert.equal(code, 2);
    assert.match(text, new RegExp(args.at(-1) as string));
  });
}

/** What a store might do wrong with the items of a publish. */
type Fault = (items: readonly PublishItem[]) => readonly PublishItem[];

const faults: Record<string, { readonly fault: Fault; readonly error: RegExp }> = {
  lost: {
    fault: (items) => items.filter((item) => !isVictim(item)),
    error: /1 never came, the first of them 10000077/,
  },
  doubled: {
    fault: (items) => items.flatMap((item) => (isVictim(item) ? [item, item] : [item])),
    error: /10000077 came twice/,
  },
  invented: {
    fault: (items) => [
      ...items,
      ...items.filter(isVictim).map(({ targets, message }) => ({
        targets,
        message: { ...message, body: (message.body as string).replace('10000077', '99999999') },
      })),
    ],
    error: /99999999 was never sent/,
  },
};

function isVictim({ message }: PublishItem): boolean {
  return (message.body as string).includes('"number":10000077,');
}

/** A store that confirms every message, whatever it stores of them. */
function plant(fault: Fault): Driver {
  const driver = createMemoryDriver({ clock: new SystemClock() });
  const publish = async (items: readonly PublishItem[]): Promise<PublishOutcome[]> => {
    await driver.publish(fault(items));
    return items.map(() => ({ status: 'stored', id: '0'.repeat(32) }));
  };
  return new Proxy(driver, {
    get(target, name) {
      if (name === 'publish') return publish;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

for (const [name, { fault, error }] of Object.entries(faults)) {
  test(`a run in which a message was ${name} is invalid`, async () => {
    const load = { bytes: 100, messages: 1_000, loneSends: 5, stalledAfter: 200 };
    await assert.rejects(measureQueue({ ...load, storage: plant(fault) }), (thrown) => {
      assert.ok(thrown instanceof InvalidRunError);
      assert.match(thrown.message, error);
      return true;
    });
  });
}

test('a benchmark with an invalid run prints no figures and exits with 1', async () => {
  const file = join(folder, 'planted.mts');
  const harness = pathToFileURL(join(root, 'bench', 'harness')).href;
  writeFileSync(
    file,
    `import { DeliveryCheck } from '${harness}/delivery-check.ts';
    import { runBenchmark } from '${harness}/run-benchmark.ts';
    const doubling = async () => {
      const check = new DeliveryCheck(0, 1);
      check.mark(0);
      check.mark(0);
      check.verify();
      return { rate: 1 };
    };
    const metric = { name: 'rate', unit: '/s', ours: ['sender', 'rate'], target: { atLeast: 0 } };
    const contest = { name: 'planted', runners: { sender: doubling }, metrics: [metric] };
    await runBenchmark({ name: 'planted', contests: [contest] });`,
  );
  const { code, text, lines } = await runBench(file, '--json', '--quick');
  rmSync(file);
  assert.equal(code, 1);
  assert.deepEqual(lines, []);
  assert.match(text, /run of 'sender' in 'planted' is invalid.* 0 came twice/);
});

test('a delivery check passes when each message came once, in whatever order', () => {
  const check = new DeliveryCheck(5, 3);
  for (const number of [7, 5, 6]) check.mark(number);
  assert.ok(check.isComplete);
  check.verify();
});

test('a metric is judged by the medians of its rounds', () => {
  const rounds = new Map([
    ['a', [{ rate: 10 }, { rate: 90 }, { rate: 30 }]],
    ['b', [{ rate: 50 }, { rate: 60 }, { rate: 1 }]],
  ]);
  const metric: Metric = { name: 'm', unit: '/s', ours: ['a', 'rate'], peer: ['b', 'rate'] };
  const judged = judge({ ...metric, target: { atLeast: 0.6 } }, rounds);
  assert.deepEqual([judged.ours, judged.peer, judged.ratio, judged.met], [30, 50, 0.6, true]);
  assert.equal(judge({ ...metric, target: { atMost: 0.5 } }, rounds).met, false);
  assert.equal(judge(metric, rounds).met, null);
  assert.throws(() => judge({ ...metric, ours: ['a', 'latency'] }, rounds), /no figure 'latency'/);
});

test('medians and quantiles', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([9, 1, 5]), 5);
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(quantile(hundred, 0.5), 50);
  assert.equal(quantile(hundred, 0.99), 99);
  assert.equal(quantile([7], 0.99), 7);
});
