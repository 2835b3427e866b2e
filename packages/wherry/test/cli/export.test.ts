import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseLines, temporaryFolder, TestStore } from './harness.ts';

type Line = Record<string, unknown>;

async function filledStore(): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders', '--max-retries', '0']);
  await store.ok(['exchange', 'create', 'events', '--type', 'topic']);
  await store.ok(['binding', 'create', '--exchange', 'events', '--queue', 'orders']);
  const to = ['--queue', 'orders'];
  await store.ok(['publish', '{"n":0}', ...to, '--priority', '3', '--header', 'tenant=a']);
  await store.ok(['publish', 'text', '--text', ...to, '--ttl', '1h']);
  await store.ok(['publish', '--stdin', '--bytes', ...to], { input: new Uint8Array([0, 255]) });
  await store.ok(['publish', '"later"', ...to, '--delay', '1h']);
  return store;
}

async function exported(store: TestStore): Promise<{ file: string; lines: Line[] }> {
  const file = join(temporaryFolder(), 'store.ndjson');
  await store.ok(['export', file]);
  return { file, lines: parseLines<Line>(readFileSync(file, 'utf8')) };
}

test('export writes a line for each thing, between a header and an end', async () => {
  const { lines } = await exported(await filledStore());
  const kinds = lines.map(({ kind }) => kind);
  assert.deepEqual(kinds, [
    'header',
    'queue',
    'queue',
    'exchange',
    'binding',
    'message',
    'message',
    'message',
    'message',
    'end',
  ]);
  assert.deepEqual([lines[0]?.['format'], lines[0]?.['version']], ['wherry-export', 2]);
  assert.equal(lines.at(-1)?.['messages'], 4);
  const messages = lines.filter(({ kind }) => kind === 'message');
  assert.deepEqual(
    messages.map(({ payload, text, base64 }) => payload ?? text ?? base64),
    [{ n: 0 }, 'text', 'AP8=', 'later'],
  );
  assert.deepEqual(messages[0]?.['properties'], { headers: { tenant: 'a' } });
});

test('import stores what was exported, once, however often it is done', async () => {
  const source = await filledStore();
  const { file } = await exported(source);
  const target = new TestStore();
  assert.match(
    await target.ok(['import', file]),
    /^Imported 4 messages in 2 queues\. 1 exchange, 1 binding, 0 schedules\.\n$/,
  );
  assert.equal(await target.ok(['consume', 'orders', '--max', '1']), '{"n":0}\n');
  assert.match(
    await target.ok(['import', file]),
    /^Imported 0 messages in 2 queues; 4 messages imported before\./,
  );
  const browse = (state: string) => ['browse', 'orders', '--state', state, '--json'];
  const [, ...ready] = await source.lines<Line>(browse('ready'));
  const facts = ({ id, payload, payloadEncoding }: Line) => ({ id, payload, payloadEncoding });
  const stored = await target.lines<Line>(browse('ready'));
  assert.deepEqual(stored.map(facts), ready.map(facts));
  // Its time to live goes on, to within the length of a call.
  const [end, endBefore] = [stored, ready].map(([first]) => first?.['expiresAt'] as number);
  assert.ok(Math.abs(end! - endBefore!) < 1_000, `${end} is not ${endBefore}`);
  const later = await target.lines<Line>(browse('scheduled'));
  const before = await source.lines<Line>(browse('scheduled'));
  assert.deepEqual(
    later.map((one) => one['availableAt']),
    before.map((one) => one['availableAt']),
  );
  assert.deepEqual(
    later.map((one) => one['payload']),
    ['later'],
  );
});

test('import --again brings back what was consumed since', async () => {
  const { file } = await exported(await filledStore());
  const target = new TestStore();
  await target.ok(['import', file]);
  await target.ok(['consume', 'orders', '--max', '2']);
  const result = await target.json(['import', file, '--again']);
  assert.deepEqual([result['messages'], result['duplicates']], [2, 2]);
});

test('export and import work through a pipe, and on chosen queues', async () => {
  const source = await filledStore();
  await source.ok(['queue', 'create', 'other']);
  await source.ok(['publish', '1', '--queue', 'other']);
  const whole = await source.ok(['export', '-']);
  const target = new TestStore();
  const result = await target.json(['import', '-', '--queue', 'other'], { input: whole });
  assert.deepEqual([result['queues'], result['messages'], result['bindings']], [1, 1, 0]);
  const part = await source.ok(['export', '-', '--queue', 'other']);
  assert.deepEqual(
    parseLines<Line>(part).map(({ kind }) => kind),
    ['header', 'queue', 'message', 'end'],
  );
});

test('import refuses what is no export, of a newer version, or cut off', async () => {
  const { file, lines } = await exported(await filledStore());
  const target = new TestStore();
  const importing = async (input: string) => target.call(['import', '-'], { input });
  const text = (some: readonly unknown[]) =>
    some.map((line) => `${JSON.stringify(line)}\n`).join('');
  const none = await importing('{"n":1}\n');
  assert.equal(none.code, 2);
  assert.match(none.stderr, /Line 1: The first line is not the header/);
  const newer = await importing(text([{ ...lines[0], version: 3 }]));
  assert.equal(newer.code, 2);
  assert.match(newer.stderr, /version 3 .*up to 2\. Upgrade wherry/s);
  const damaged = await importing(
    text(lines.map((line) => (line['kind'] === 'message' ? { ...line, priority: 999 } : line))),
  );
  assert.match(damaged.stderr, /Line 6: The line is wrong: priority/);
  const cut = await importing(text(lines.slice(0, -1)));
  assert.equal(cut.code, 2);
  assert.match(cut.stderr, /not whole/);
  // What was in it is there; the whole one brings the rest.
  assert.match(
    await target.ok(['import', file]),
    /^Imported 0 messages .* 4 messages imported before/,
  );
});

test('import tells what found no room, and brings it when there is room', async () => {
  const { file } = await exported(await filledStore());
  const target = new TestStore();
  await target.ok(['queue', 'create', 'orders', '--max-size', '3']);
  assert.equal((await target.call(['import', file])).code, 1);
  const answer = await target.call(['import', file, '--keep-settings']);
  assert.equal(answer.code, 5);
  assert.match(
    answer.stderr,
    /1 message of queue 'orders' were left out: it has no room \(maxSize\)/,
  );
  await target.ok(['consume', 'orders']);
  assert.match(
    await target.ok(['import', file, '--keep-settings']),
    /^Imported 1 message in 2 queues; 3 messages imported before/,
  );
});

test('export leaves no half a file, and says when it cannot write', async () => {
  const store = await filledStore();
  const file = join(temporaryFolder(), 'no', 'store.ndjson');
  assert.equal((await store.call(['export', file])).code, 2);
  const interrupted = join(temporaryFolder(), 'store.ndjson');
  const answer = await store.call(['export', interrupted], { signal: AbortSignal.abort() });
  assert.equal(answer.code, 130);
  assert.ok(!existsSync(interrupted) && !existsSync(`${interrupted}.part`));
  writeFileSync(interrupted, 'old');
  await store.ok(['export', interrupted]);
  assert.match(readFileSync(interrupted, 'utf8'), /"kind":"end"/);
});
