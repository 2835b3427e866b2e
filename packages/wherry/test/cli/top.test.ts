import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { QueueRow, Sample } from '../../src/cli/top/sample.ts';
import { Sampler } from '../../src/cli/top/sample.ts';
import { COLUMNS, FIRST_VIEW, formatScreen, pressKey, sortRows } from '../../src/cli/top/view.ts';
import { Topology } from '../../src/core/topology.ts';
import { PatientClock, TestStore as Store } from '../transfer/world.ts';
import { Capture, TestStore } from './harness.ts';

async function filledStore(): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '--stdin', '--queue', 'orders'], { input: '1\n2\n3\n' });
  return store;
}

test('top --once prints a plain table, and so it does where there is no terminal', async () => {
  const store = await filledStore();
  for (const args of [['top', '--once'], ['top']]) {
    const text = await store.ok(args);
    assert.match(text, /^QUEUE +READY▼ +SCHEDULED +LEASED .* STATE$/m);
    assert.match(text, /^orders +3 +0 +0 .* open$/m);
    assert.ok(!text.includes('\u001b'));
  }
  const some = await store.ok(['top', '--queue', 'dead-letter']);
  assert.doesNotMatch(some, /orders/);
  assert.equal((await store.call(['top', '--queue', 'nothing'])).code, 3);
});

test('top --json writes a line for each look, until a signal', async () => {
  const store = await filledStore();
  const once = await store.json<Sample>(['top', '--once']);
  const { name, ready, growth } = once.queues.find((row) => row.name === 'orders')!;
  assert.deepEqual([name, ready, growth], ['orders', 3, null]);
  const interrupt = new AbortController();
  const stdout = new Capture(false, (text) => {
    if (text.split('\n').length > 3) interrupt.abort();
  });
  const args = ['top', '--json', '--interval', '100ms'];
  const { code } = await store.call(args, { stdout, signal: interrupt.signal });
  assert.equal(code, 130);
  const last = JSON.parse(stdout.text().trimEnd().split('\n').at(-1)!) as Sample;
  assert.equal(last.queues.find((row) => row.name === 'orders')?.growth, 0);
});

/** A terminal's input that remembers whether it was raw. */
class Keys extends PassThrough {
  readonly isTTY = true;
  readonly modes: boolean[] = [];

  setRawMode(isRaw: boolean): this {
    this.modes.push(isRaw);
    return this;
  }
}

test('top fills a terminal, heeds its keys, and leaves it as it was', async () => {
  const store = await filledStore();
  const keys = new Keys();
  const steps: [seen: RegExp, key: string][] = [
    [/READY▼/, 's'],
    [/SCHEDULED▼/, '\u001b[D'],
    [/READY▼[\s\S]*SCHEDULED▼[\s\S]*READY▼/, 'r'],
    [/READY▲/, 'q'],
  ];
  const stdout = new Capture(true, (text) => {
    const [seen, key] = steps[0] ?? [];
    if (seen?.test(text) !== true) return;
    steps.shift();
    keys.write(key);
  });
  const { code } = await store.call(['top', '--no-color'], { input: keys, stdout });
  assert.equal(code, 0);
  assert.deepEqual(steps, []);
  const text = stdout.text();
  assert.ok(text.startsWith('\u001b[?1049h\u001b[?25l'));
  assert.ok(text.endsWith('\u001b[?25h\u001b[?1049l'));
  assert.deepEqual(keys.modes, [true, false]);
  assert.deepEqual(keys.listenerCount('keypress'), 0);
});

test('top leaves the terminal as it was at a signal, too', async () => {
  const store = await filledStore();
  const interrupt = new AbortController();
  const keys = new Keys();
  const stdout = new Capture(true, (text) => {
    if (text.includes('q quit')) interrupt.abort();
  });
  const { code } = await store.call(['top'], { input: keys, stdout, signal: interrupt.signal });
  assert.equal(code, 130);
  assert.ok(stdout.text().endsWith('\u001b[?25h\u001b[?1049l'));
  assert.deepEqual(keys.modes, [true, false]);
});

const clock = new PatientClock();

test('rates and holders are those of all processes', async () => {
  const store = await Store.inMemory(clock);
  const queue = await store.queue('orders');
  const topology = new Topology(store.driver.topology, 'dead-letter');
  await topology.open();
  const sampler = new Sampler({ driver: store.driver, topology });
  await store.publish(queue, [{}, {}]);
  await sampler.look();
  await store.publish(
    queue,
    Array.from({ length: 20 }, () => ({})),
  );
  await store.take(queue, 3);
  await store.consume(queue, 4);
  clock.manual.advance(2_000);
  const { queues } = await sampler.look();
  const { ready, leased, consumers, oldestAge } = queues[0]!;
  assert.deepEqual([ready, leased, consumers, oldestAge], [15, 3, 1, 2_000]);
  const { inRate, outRate, growth } = queues[0]!;
  assert.deepEqual({ inRate, outRate, growth }, { inRate: 10, outRate: 2, growth: 8 });
});

function rowOf(name: string, ready: number): QueueRow {
  const none = { inRate: null, outRate: null, growth: null, oldestAge: null };
  return { name, ready, paused: false, scheduled: 0, leased: 0, bytes: 0, consumers: 0, ...none };
}

test('the table is cut to the screen, scrolls, and shows what went wrong', () => {
  const queues = Array.from({ length: 20 }, (_, n) => rowOf(`queue-${n}`.padEnd(30, '.'), n));
  const sample = { time: Date.UTC(2030, 0, 1, 12), queues };
  const size = { width: 30, height: 8 };
  const plain = (text: string): string => text;
  const lines = formatScreen(sample, FIRST_VIEW, size, null, plain);
  assert.equal(lines.length, 8);
  assert.ok(lines.every((line) => line.length <= 30));
  assert.match(lines[2]!, /^queue-19/);
  const rows = { total: 20, shown: 5 };
  const end = pressKey('end', FIRST_VIEW, rows)!;
  assert.equal(end.offset, 15);
  assert.equal(pressKey('up', end, rows)?.offset, 14);
  assert.equal(pressKey('home', end, rows)?.offset, 0);
  assert.equal(pressKey('pageup', FIRST_VIEW, rows)?.offset, 0);
  assert.equal(pressKey('x', FIRST_VIEW, rows), null);
  const failed = formatScreen(sample, FIRST_VIEW, size, 'gone\u001b[2J', plain);
  assert.match(failed.at(-1)!, /^error: gone\\u001b/);
});

test('each column sorts, equal rows by name', () => {
  const rows = [rowOf('b', 1), rowOf('a', 1), rowOf('c', 2)];
  const names = (sortBy: number, descending: boolean): string[] =>
    sortRows(rows, { sortBy, descending, offset: 0 }).map(({ name }) => name);
  assert.deepEqual(names(0, false), ['a', 'b', 'c']);
  assert.deepEqual(names(1, true), ['c', 'a', 'b']);
  for (const sortBy of COLUMNS.keys()) assert.equal(names(sortBy, true).length, 3);
});
