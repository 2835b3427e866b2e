import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { parseLines, temporaryFolder, TestStore } from './harness.ts';

async function storeWith(queue: string, ...options: string[]): Promise<TestStore> {
  const store = new TestStore();
  await store.ok(['queue', 'create', queue, ...options]);
  return store;
}

test('publish prints the id of a message, and consume gives its payload back', async () => {
  const store = await storeWith('orders');
  const id = await store.ok(['publish', '{"order": 1, "ok": null}', '--queue', 'orders']);
  assert.match(id, /^[0-9a-f]{32}\n$/);
  assert.equal(await store.ok(['consume', 'orders']), '{"order":1,"ok":null}\n');
});

test('publish stores every property that it has an option for', async () => {
  const store = await storeWith('orders');
  const options =
    '--header kind=new --header tries:=3 --header urgent:=true --priority 9 --ttl 1h --group customer-7 ' +
    '--deduplication-id once --content-type application/json --correlation-id c1 --reply-to answers --max-retries 2';
  await store.ok(['publish', '"x"', '--queue', 'orders', ...options.split(' ')]);
  const [message] = await store.lines(['browse', 'orders']);
  assert.ok(message);
  const { id, timestamp, availableAt, expiresAt, publishId, ...facts } = message;
  assert.equal(publishId, id);
  assert.equal(availableAt, timestamp);
  assert.equal(Number(expiresAt) - Number(timestamp), 3_600_000);
  assert.deepEqual(facts, {
    queueName: 'orders',
    payload: 'x',
    headers: { kind: 'new', tries: 3, urgent: true },
    priority: 9,
    groupId: 'customer-7',
    deduplicationId: 'once',
    contentType: 'application/json',
    correlationId: 'c1',
    replyTo: 'answers',
    maxRetries: 2,
    state: 'ready',
    retryCount: 0,
    deliveryCount: 0,
    deaths: [],
    parked: null,
    lease: null,
  });
});

test('publish --delay holds the message back', async () => {
  const store = await storeWith('orders');
  await store.ok(['publish', '1', '--queue', 'orders', '--delay', '1h']);
  assert.equal(await store.ok(['consume', 'orders']), '');
  const [message] = await store.lines(['browse', 'orders', '--state', 'scheduled']);
  assert.equal(Number(message?.['availableAt']) - Number(message?.['timestamp']), 3_600_000);
});

test('publish tells of a duplicate', async () => {
  const store = await storeWith('orders');
  const publish = ['publish', '1', '--queue', 'orders', '--deduplication-id', 'once'];
  const first = await store.json(publish);
  assert.deepEqual(await store.json(publish), { ...first, duplicate: true });
  assert.match((await store.call(publish)).stderr, /duplicate/);
});

test('publish to a queue that is not there names the command that makes it', async () => {
  const store = await storeWith('orders');
  const answer = await store.call(['publish', '1', '--queue', 'order']);
  assert.equal(answer.code, 3);
  assert.equal(
    answer.stderr,
    "error: Queue 'order' does not exist. Create it with: wherry queue create order\n",
  );
});

test('publish --create makes store and queue, and keeps the settings of one that is there', async () => {
  const store = new TestStore();
  await store.ok(['publish', '1', '--queue', 'orders', '--create']);
  await store.ok(['queue', 'update', 'orders', '--max-size', '7']);
  await store.ok(['publish', '2', '--queue', 'orders', '--create']);
  assert.equal(await store.ok(['consume', 'orders']), '1\n2\n');
});

test('publish checks its options before it touches the store', async () => {
  const store = new TestStore();
  const wrong = [
    ['publish', '--queue', 'q', '--create'],
    ['publish', '1', '--stdin', '--queue', 'q', '--create'],
    ['publish', '1', '--create'],
    ['publish', '1', '--queue', 'q', '--exchange', 'e', '--create'],
    ['publish', '1', '--exchange', 'e', '--create'],
    ['publish', '1', '--queue', 'q', '--routing-key', 'k', '--create'],
    ['publish', '1', '--queue', 'q', '--text', '--bytes', '--create'],
    ['publish', '1', '--queue', 'q', '--envelope', '--create'],
    ['publish', '--stdin', '--queue', 'q', '--deduplication-id', 'x', '--create'],
    ['publish', '1', '--queue', 'q', '--priority', '256', '--create'],
    ['publish', '1', '--queue', 'q', '--ttl', 'soon', '--create'],
    ['publish', '1', '--queue', 'q', '--header', 'novalue', '--create'],
    ['publish', '1', '--queue', 'q', '--header', 'a:=[1]', '--create'],
  ];
  for (const command of wrong) {
    const answer = await store.call([...command, '--json']);
    assert.equal(answer.code, 2, command.join(' '));
    const { error } = JSON.parse(answer.stderr) as { error: { code: string } };
    assert.equal(error.code, 'USAGE');
  }
  assert.equal(existsSync(store.path), false);
});

test('publish refuses a payload that is not JSON, or that JavaScript would change', async () => {
  const store = await storeWith('orders');
  const notJson = await store.call(['publish', 'hello', '--queue', 'orders']);
  assert.equal(notJson.code, 2);
  assert.match(notJson.stderr, /not JSON.*--text/);
  const changed = await store.call([
    'publish',
    '{"id": 12345678901234567890}',
    '--queue',
    'orders',
  ]);
  assert.equal(changed.code, 2);
  assert.match(changed.stderr, /12345678901234567890 does not fit/);
  assert.equal((await store.call(['publish', '1e999', '--queue', 'orders'])).code, 2);
  await store.ok([
    'publish',
    '{"id": "12345678901234567890", "n": 9007199254740992}',
    '--queue',
    'orders',
  ]);
});

test('publish --text and --bytes leave the payload as it is', async () => {
  const store = await storeWith('raw');
  const bytes = Buffer.from([0, 255, 10, 13, 10]);
  await store.ok(['publish', ' not {json} ', '--text', '--queue', 'raw']);
  await store.ok(['publish', '--stdin', '--bytes', '--queue', 'raw'], { input: bytes });
  const file = join(temporaryFolder(), 'whole');
  writeFileSync(file, bytes);
  await store.ok(['publish', '--file', file, '--bytes', '--queue', 'raw']);
  const [text, ...others] = await store.lines(['browse', 'raw']);
  assert.equal(text?.['payload'], ' not {json} ');
  assert.equal(others.length, 2);
  for (const { payload, payloadEncoding } of others) {
    assert.equal(payloadEncoding, 'base64');
    assert.deepEqual(Buffer.from(String(payload), 'base64'), bytes);
  }
});

test('publish --file sends each line in order, whatever the line ending', async () => {
  const store = await storeWith('orders');
  const file = join(temporaryFolder(), 'orders.ndjson');
  writeFileSync(file, '1\r\n\n  \n"two"\n{"three":3}');
  const answer = await store.call(['publish', '--file', file, '--queue', 'orders']);
  assert.equal(answer.code, 0);
  assert.equal(answer.stderr, 'Sent 3 messages.\n');
  assert.equal(await store.ok(['consume', 'orders']), '1\n"two"\n{"three":3}\n');
  const missing = await store.call(['publish', '--file', `${file}.no`, '--queue', 'orders']);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /cannot be read \(ENOENT\)/);
});

test('publish --stdin --text takes each line as it is, blank ones too', async () => {
  const store = await storeWith('lines');
  await store.ok(['publish', '--stdin', '--text', '--queue', 'lines'], { input: 'a\n\n{"b"\n' });
  assert.equal(await store.ok(['consume', 'lines']), '"a"\n""\n"{\\"b\\""\n');
});

test('publish reports bad lines by number, sends the others, and exits with 5', async () => {
  const store = await storeWith('orders');
  const input = Buffer.concat([
    Buffer.from('{"n":1}\n{"n":2\n{"n":3}\n'),
    Buffer.from([0x22, 0xff, 0x22, 0x0a]),
    Buffer.from('{"n":5}\n'),
  ]);
  const answer = await store.call(['publish', '--stdin', '--queue', 'orders'], { input });
  assert.equal(answer.code, 5);
  assert.match(answer.stderr, /^error: line 2: It is not JSON/m);
  assert.match(answer.stderr, /^error: line 4: It is not UTF-8/m);
  assert.match(answer.stderr, /^Sent 3 messages; 2 lines refused\.$/m);
  assert.equal(await store.ok(['consume', 'orders']), '{"n":1}\n{"n":3}\n{"n":5}\n');
});

test('publish --json answers line by line, good ones on stdout, bad ones on stderr', async () => {
  const store = await storeWith('orders');
  const answer = await store.call(['publish', '--stdin', '--queue', 'orders', '--json'], {
    input: '1\nx\n3\n',
  });
  assert.equal(answer.code, 5);
  const sent = parseLines<{ line: number; id: string; queues: string[] }>(answer.stdout);
  assert.deepEqual(
    sent.map(({ line, queues }) => ({ line, queues })),
    [
      { line: 1, queues: ['orders'] },
      { line: 3, queues: ['orders'] },
    ],
  );
  const [bad, ...more] = parseLines<{ error: { code: string; line: number } }>(answer.stderr);
  assert.deepEqual(more, []);
  assert.equal(bad?.error.code, 'VALIDATION');
  assert.equal(bad?.error.line, 2);
});

test('publish --envelope takes properties from the line, and options where it is silent', async () => {
  const store = await storeWith('orders');
  const lines = [
    { payload: { n: 1 }, priority: 5, headers: { a: 1 }, groupId: 'g', deduplicationId: 'd1' },
    { payload: 'AAH/', payloadEncoding: 'base64' },
    { payload: 'later', deliverAt: '2999-01-01T00:00:00Z' },
    { paylod: 1 },
    { payload: 1, prioritty: 3 },
    { payload: '***', payloadEncoding: 'base64' },
    { payload: 1, priority: 'high' },
    [1],
  ];
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const publish = ['publish', '--stdin', '--envelope', '--priority', '1', '--queue', 'orders'];
  const answer = await store.call(publish, { input });
  assert.equal(answer.code, 5);
  const refused = [...answer.stderr.matchAll(/^error: line (\d): /gm)].map(([, line]) =>
    Number(line),
  );
  assert.deepEqual(new Set(refused), new Set([4, 5, 6, 7, 8]));
  const [first, second] = await store.lines(['browse', 'orders']);
  assert.deepEqual(first?.['payload'], { n: 1 });
  assert.equal(first?.['priority'], 5);
  assert.deepEqual(first?.['headers'], { a: 1 });
  assert.equal(second?.['payload'], 'AAH/');
  assert.equal(second?.['priority'], 1);
  const [later] = await store.lines(['browse', 'orders', '--state', 'scheduled']);
  assert.equal(later?.['availableAt'], Date.parse('2999-01-01T00:00:00Z'));
});

test('what consume --envelope writes, publish --envelope sends again', async () => {
  const store = await storeWith('first');
  await store.ok(['queue', 'create', 'second']);
  await store.ok(
    ['publish', '--stdin', '--bytes', '--queue', 'first', '--header', 'h=1', '--priority', '3'],
    {
      input: Buffer.from([0, 128, 255]),
    },
  );
  const input = await store.ok(['consume', 'first', '--envelope']);
  await store.ok(['publish', '--stdin', '--envelope', '--queue', 'second'], { input });
  const [copy] = await store.lines(['browse', 'second']);
  assert.deepEqual(Buffer.from(String(copy?.['payload']), 'base64'), Buffer.from([0, 128, 255]));
  assert.deepEqual(copy?.['headers'], { h: '1' });
  assert.equal(copy?.['priority'], 3);
});

test('publish sends many lines in their order, through chunks that cut them anywhere', async () => {
  const store = await storeWith('orders');
  const numbers = Array.from({ length: 5_000 }, (_, n) => n);
  const bytes = Buffer.from(numbers.map((n) => `{"n":${n},"text":"äöü ${n}"}\n`).join(''));
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 997) chunks.push(bytes.subarray(at, at + 997));
  await store.ok(['publish', '--stdin', '--queue', 'orders'], { input: Readable.from(chunks) });
  const consumed = parseLines<{ n: number; text: string }>(await store.ok(['consume', 'orders']));
  assert.deepEqual(
    consumed.map(({ n }) => n),
    numbers,
  );
  assert.ok(consumed.every(({ n, text }) => text === `äöü ${n}`));
});

test('publish tells which lines a full queue refused', async () => {
  const store = await storeWith('small', '--max-size', '2');
  const answer = await store.call(['publish', '--stdin', '--queue', 'small'], {
    input: '1\n2\n3\n',
  });
  assert.equal(answer.code, 5);
  assert.match(
    answer.stderr,
    /^error: line 3: Queue 'small' is full \(maxSize 2\)\. .*wherry queue update small/m,
  );
  assert.equal((await store.call(['publish', '4', '--queue', 'small'])).code, 1);
});

test('publish shows its progress on a terminal only', async () => {
  const store = await storeWith('orders');
  const file = join(temporaryFolder(), 'orders.ndjson');
  writeFileSync(file, '1\nbad\n3\n');
  const publish = ['publish', '--file', file, '--queue', 'orders'];
  const shown = await store.call(publish, { terminal: true });
  assert.match(shown.stderr, /\[=*-*\]|\[=+>?/);
  assert.match(shown.stderr, /line 2: It is not JSON/);
  const hidden = await store.call(publish);
  assert.equal(hidden.stderr.includes('\u001b'), false);
  assert.doesNotMatch(hidden.stderr, /\[=/);
});

test('publish stops at a signal, keeps what it sent and says so', async () => {
  const store = await storeWith('orders');
  const interrupt = new AbortController();
  const input = new Readable({ read: () => {} });
  input.push('1\n2\n');
  const publishing = store.call(['publish', '--stdin', '--queue', 'orders', '--json'], {
    input,
    signal: interrupt.signal,
    stdout: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (chunk.toString().includes('"line":2')) interrupt.abort();
        done();
      },
    }),
  });
  const answer = await publishing;
  assert.equal(answer.code, 130);
  assert.equal(await store.ok(['consume', 'orders']), '1\n2\n');
});

test('publish goes on sending when nobody reads its results any more', async () => {
  const store = await storeWith('orders');
  let closed = (): void => {};
  const readerLeft = new Promise<void>((resolve) => (closed = resolve));
  const stdout = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      setImmediate(closed);
    },
  });
  const input = Readable.from(
    (async function* () {
      yield Buffer.from('1\n');
      await readerLeft;
      yield Buffer.from('2\n');
      yield Buffer.from('3\n');
    })(),
  );
  const publish = ['publish', '--stdin', '--queue', 'orders', '--json'];
  assert.equal((await store.call(publish, { input, stdout })).code, 0);
  assert.equal(await store.ok(['consume', 'orders']), '1\n2\n3\n');
});
