import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { QueueInfo } from '../../src/index.ts';
import { parseLines, quoted, temporaryFolder, TestStore } from './harness.ts';

async function storeWith(...options: string[]): Promise<TestStore> {
  const store = new TestStore();
  const backoff = ['--backoff', 'fixed', '--backoff-delay', '0'];
  await store.ok(['queue', 'create', 'jobs', ...backoff, ...options]);
  return store;
}

async function counts(store: TestStore): Promise<number[]> {
  const info = await store.json<QueueInfo>(['queue', 'info', 'jobs']);
  return [info.ready, info.scheduled, info.leased];
}

test('consume --exec gives the payload on standard input and acknowledges exit code 0', async () => {
  const store = await storeWith();
  await store.ok(['publish', '{"n": 1}', '--queue', 'jobs']);
  await store.ok(['publish', 'two\nlines', '--text', '--queue', 'jobs']);
  const answer = await store.call(['consume', 'jobs', '--exec', 'cat; echo']);
  assert.equal(answer.code, 0);
  assert.equal(answer.stdout, '{"n":1}\ntwo\nlines\n');
  assert.deepEqual(await counts(store), [0, 0, 0]);
});

test('consume --exec gives bytes untouched, and large payloads whole', async () => {
  const store = await storeWith();
  const file = join(temporaryFolder(), 'payload');
  const input = Buffer.alloc(3_000_000, 'ab\n\0');
  await store.ok(['publish', '--stdin', '--bytes', '--queue', 'jobs'], { input });
  await store.ok(['consume', 'jobs', '--exec', `cat > ${quoted(file)}`]);
  assert.deepEqual(readFileSync(file), input);
});

test('consume --exec tells the facts in the environment', async () => {
  const store = await storeWith();
  const options =
    '--header tenant=7 --priority 4 --content-type text/x --group g1 --correlation-id c1 --reply-to r1 --deduplication-id d1';
  const id = (await store.ok(['publish', '1', '--queue', 'jobs', ...options.split(' ')])).trim();
  const text = await store.ok(['consume', 'jobs', '--exec', 'env | grep ^WHERRY_ | sort']);
  const facts = Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/, 2)),
  );
  const { WHERRY_TIMESTAMP: timestamp, ...rest } = facts as Record<string, string>;
  assert.match(String(timestamp), /^\d{13}$/);
  assert.deepEqual(rest, {
    WHERRY_ID: id,
    WHERRY_QUEUE: 'jobs',
    WHERRY_PRIORITY: '4',
    WHERRY_RETRY_COUNT: '0',
    WHERRY_DELIVERY_COUNT: '1',
    WHERRY_HEADERS: '{"tenant":"7"}',
    WHERRY_CONTENT_TYPE: 'text/x',
    WHERRY_GROUP_ID: 'g1',
    WHERRY_CORRELATION_ID: 'c1',
    WHERRY_REPLY_TO: 'r1',
    WHERRY_DEDUPLICATION_ID: 'd1',
  });
});

test('consume --exec hands a header value with shell code in it over as a value', async () => {
  const store = await storeWith();
  const file = join(temporaryFolder(), 'touched');
  const header = `--header=x=$(touch ${file});\`touch ${file}\``;
  await store.ok(['publish', `"; touch ${file}"`, '--queue', 'jobs', header]);
  await store.ok(['consume', 'jobs', '--exec', 'test -n "$WHERRY_HEADERS"']);
  assert.throws(() => readFileSync(file), { code: 'ENOENT' });
});

test('consume --exec rejects any other exit code until the retries are used up', async () => {
  const store = await storeWith('--max-retries', '2');
  await store.ok(['publish', '"bad"', '--queue', 'jobs']);
  await store.ok(['publish', '"good"', '--queue', 'jobs']);
  const command =
    'read -r line; echo "$WHERRY_RETRY_COUNT:$line"; test "$line" != bad || { echo reason >&2; exit 3; }';
  const answer = await store.call(['consume', 'jobs', '--exec', command]);
  assert.equal(answer.code, 5);
  const tries = answer.stdout.trim().split('\n').toSorted();
  assert.deepEqual(tries, ['0:bad', '0:good', '1:bad', '2:bad']);
  assert.match(answer.stderr, /Rejected [0-9a-f]{32}: command: exit code 3: reason/);
  assert.match(answer.stderr, /1 message consumed, 3 rejected\./);
  const [dead] = await store.lines<{ deaths: Record<string, unknown>[] }>(['dead-letters', 'list']);
  const { time, ...death } = dead?.deaths[0] ?? {};
  assert.equal(typeof time, 'number');
  assert.deepEqual(death, {
    queue: 'jobs',
    reason: 'max-retries',
    count: 1,
    error: 'command: exit code 3: reason',
  });
});

test('consume --exec keeps the end of a long standard error', async () => {
  const store = await storeWith('--max-retries', '0');
  await store.ok(['publish', '1', '--queue', 'jobs']);
  await store.call(['consume', 'jobs', '--exec', 'seq 100000 >&2; exit 1']);
  const [dead] = await store.lines<{ deaths: { error: string }[] }>(['dead-letters', 'list']);
  const error = dead?.deaths[0]?.error ?? '';
  assert.ok(error.startsWith('command: exit code 1: '));
  assert.ok(error.length <= 1_000);
  assert.match(error, /100000$/);
});

test('consume --exec rejects when the command does not exist, is killed or takes too long', async () => {
  const store = await storeWith('--max-retries', '0');
  const died = async (command: string, ...options: string[]): Promise<string> => {
    await store.ok(['publish', '1', '--queue', 'jobs']);
    const answer = await store.call(['consume', 'jobs', '--exec', command, ...options]);
    assert.equal(answer.code, 5);
    const [dead] = await store.lines<{ deaths: { error: string }[] }>(['dead-letters', 'list']);
    await store.ok(['dead-letters', 'purge']);
    return dead?.deaths[0]?.error ?? '';
  };
  assert.match(await died('no-such-command-here'), /^command: exit code 127: .*not found/);
  assert.match(await died('kill -9 $$'), /^command: ended by SIGKILL/);
  assert.match(await died('sleep 60', '--timeout', '50ms'), /^command: took too long/);
});

test('consume --exec does not wait for what the command left running', async () => {
  const store = await storeWith();
  await store.ok(['publish', '1', '--queue', 'jobs']);
  const folder = temporaryFolder();
  const command = `cd ${quoted(folder)}; echo $$ > group; { sleep 20; touch late; } &`;
  const answer = await store.call(['consume', 'jobs', '--exec', command]);
  assert.equal(existsSync(join(folder, 'late')), false);
  process.kill(-Number(readFileSync(join(folder, 'group'), 'utf8')));
  assert.equal(answer.code, 0);
});

test('consume --exec runs as many commands at once as --concurrency says', async () => {
  const store = await storeWith();
  await store.ok(['publish', '--stdin', '--queue', 'jobs'], { input: '1\n2\n3\n4\n' });
  const folder = temporaryFolder();
  // Each waits until three are there: with fewer at once, none would come to its end.
  const command = `touch ${quoted(folder)}/$$; until [ $(ls ${quoted(folder)} | wc -l) -ge 3 ]; do sleep 0.01; done`;
  const answer = await store.call([
    'consume',
    'jobs',
    '--exec',
    command,
    '--concurrency',
    '3',
    '--timeout',
    '20s',
  ]);
  assert.equal(answer.code, 0);
});

test("consume --exec --json writes a line about each message, and the command's output to stderr", async () => {
  const store = await storeWith('--max-retries', '0');
  await store.ok(['publish', '--stdin', '--queue', 'jobs'], { input: '0\n4\n' });
  const answer = await store.call([
    'consume',
    'jobs',
    '--json',
    '--exec',
    'read n; echo "got $n"; exit $n',
  ]);
  assert.equal(answer.code, 5);
  assert.equal(answer.stderr, 'got 0\ngot 4\n');
  const results = parseLines<Record<string, unknown>>(answer.stdout);
  assert.deepEqual(
    results.map(({ status, exitCode, signal }) => ({ status, exitCode, signal })),
    [
      { status: 'acknowledged', exitCode: 0, signal: null },
      { status: 'rejected', exitCode: 4, signal: null },
    ],
  );
});

test('consume --exec lets the running command finish at a signal and begins no other', async () => {
  const store = await storeWith();
  await store.ok(['publish', '--stdin', '--queue', 'jobs'], { input: '1\n2\n' });
  const interrupt = new AbortController();
  let stdout = '';
  const watched = new Writable({
    write(chunk: Buffer, _encoding, done) {
      stdout += chunk.toString();
      if (stdout.includes('begun')) interrupt.abort();
      done();
    },
  });
  const answer = await store.call(
    ['consume', 'jobs', '--exec', 'echo begun; sleep 0.2; echo done'],
    {
      signal: interrupt.signal,
      stdout: watched,
    },
  );
  assert.equal(answer.code, 130);
  assert.equal(stdout, 'begun\ndone\n');
  assert.deepEqual(await counts(store), [1, 0, 0]);
});
