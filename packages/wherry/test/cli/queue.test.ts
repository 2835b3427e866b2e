import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import type { QueueInfo } from '../../src/index.ts';
import { TestStore } from './harness.ts';

test('queue create makes the store and the queue, and says when it was there already', async () => {
  const store = new TestStore();
  assert.equal(await store.ok(['queue', 'create', 'orders']), "Created queue 'orders'.\n");
  const again = await store.ok(['queue', 'create', 'orders']);
  assert.equal(again, "Queue 'orders' exists already, with these settings.\n");
  assert.deepEqual(await store.json(['queue', 'create', 'more']), { name: 'more', created: true });
});

test('queue create sets every setting that it has an option for', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'missed']);
  await store.ok(
    (
      'queue create orders --max-size 10 --max-bytes 2mb --bound-on waiting --overflow drop-oldest --message-ttl 1h ' +
      '--dead-letter-queue missed --max-priority 9 --discard-dead-letters --max-retries 7 --backoff fixed --backoff-delay 1m --backoff-factor 3 ' +
      '--backoff-max-delay 2m --backoff-jitter 0.5 --lease-duration 45s --deduplication-window 10m ' +
      '--max-in-flight 20 --group-max-in-flight 2 --rate-limit 100/s --group-rate-limit 5/10m ' +
      '--expires-after-idle 7d --paused'
    ).split(' '),
  );
  const info = await store.json<QueueInfo>(['queue', 'info', 'orders']);
  assert.deepEqual(info.settings, {
    maxSize: 10,
    maxBytes: 2_097_152,
    boundOn: 'waiting',
    overflow: 'drop-oldest',
    messageTtl: 3_600_000,
    deadLetterQueue: 'missed',
    deadLetterExchange: null,
    deadLetterRoutingKey: null,
    discardDeadLetters: true,
    maxPriority: 9,
    maxRetries: 7,
    backoff: { type: 'fixed', delay: 60_000, factor: 3, maxDelay: 120_000, jitter: 0.5 },
    leaseDuration: 45_000,
    deduplicationWindow: 600_000,
    maxInFlight: 20,
    groupMaxInFlight: 2,
    rateLimit: { max: 100, per: 1_000 },
    groupRateLimit: { max: 5, per: 600_000 },
    partitions: 1,
    paused: true,
    durable: true,
    expiresAfterIdle: 604_800_000,
  });
});

test('queue create names a dead-letter exchange and the key there', async () => {
  const store = new TestStore();
  const options = ['--dead-letter-exchange', 'failed', '--dead-letter-routing-key', 'work'];
  await store.ok(['queue', 'create', 'work', ...options]);
  const { settings } = await store.json<QueueInfo>(['queue', 'info', 'work']);
  const { deadLetterExchange, deadLetterRoutingKey } = settings;
  assert.deepEqual([deadLetterExchange, deadLetterRoutingKey], ['failed', 'work']);
  const { stdout } = await store.call(['queue', 'info', 'work']);
  assert.match(stdout, /dead-letter exchange +'failed' by 'work'/);
});

test('queue update lifts every bound with none', async () => {
  const store = new TestStore();
  const bounds = (...values: string[]): string[] =>
    ['max-size', 'max-bytes', 'message-ttl', 'dead-letter-queue', 'expires-after-idle'].flatMap(
      (name, at) => [`--${name}`, values[at] ?? 'none'],
    );
  await store.ok(['queue', 'create', 'missed']);
  await store.ok(['queue', 'create', 'orders', ...bounds('1', '1kb', '1s', 'missed', '1h')]);
  const { settings } = await store.json<QueueInfo>(['queue', 'update', 'orders', ...bounds()]);
  const { maxSize, maxBytes, messageTtl, deadLetterQueue, expiresAfterIdle } = settings;
  const lifted = [maxSize, maxBytes, messageTtl, deadLetterQueue, expiresAfterIdle];
  assert.deepEqual(lifted, [null, null, null, null, null]);
});

test('queue create wants a rate as a number and a length of time', async () => {
  const store = new TestStore();
  for (const wrong of ['100', '100/', '/s', '0/s', '1/x']) {
    const { code, stderr } = await store.call(['queue', 'create', 'orders', '--rate-limit', wrong]);
    assert.equal(code, 2, wrong);
    assert.match(stderr, /It must be/);
  }
});

test('queue create with other settings than those it has is refused with the command to type', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  const answer = await store.call(['queue', 'create', 'orders', '--max-size', '5']);
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, /exists with other settings \(maxSize\)\. .*wherry queue update/);
});

test('queue create --not-durable keeps the messages out of the store', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'fast', '--not-durable']);
  await store.ok(['publish', '1', '--queue', 'fast']);
  const info = await store.json<QueueInfo>(['queue', 'info', 'fast']);
  assert.equal(info.settings.durable, false);
  assert.equal(info.messageCount, 0);
});

test('queue list shows a table, and all facts as JSON', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '{"order":1}', '--queue', 'orders']);
  const [heading, ...rows] = (await store.ok(['queue', 'list'])).trimEnd().split('\n');
  assert.match(heading ?? '', /^NAME +READY +SCHEDULED +LEASED +SIZE +OLDEST +STATE$/);
  assert.ok(
    rows.some((row) => /^orders +1 +0 +0 +\d+ B +\d.* open$/.test(row)),
    rows.join('\n'),
  );
  const queues = await store.json<QueueInfo[]>(['queue', 'list']);
  assert.deepEqual(
    queues.map(({ name, ready }) => ({ name, ready })),
    [
      { name: 'dead-letter', ready: 0 },
      { name: 'orders', ready: 1 },
    ],
  );
});

test('queue info shows counts and settings to a person', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders', '--max-size', '20000']);
  const text = await store.ok(['queue', 'info', 'orders']);
  assert.match(text, /^name +orders$/m);
  assert.match(text, /^max size +20,000$/m);
  assert.match(text, /^backoff +exponential, 1s x 2 up to 5m, jitter 0.2$/m);
});

test('queue update changes what is given and leaves the rest', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders', '--max-size', '5', '--max-retries', '9']);
  await store.ok(['queue', 'update', 'orders', '--max-size', 'none', '--backoff-delay', '2s']);
  const { settings } = await store.json<QueueInfo>(['queue', 'info', 'orders']);
  assert.equal(settings.maxSize, null);
  assert.equal(settings.maxRetries, 9);
  assert.deepEqual(settings.backoff.delay, 2_000);
  assert.deepEqual(settings.backoff.type, 'exponential');
  const nothing = await store.call(['queue', 'update', 'orders']);
  assert.equal(nothing.code, 2);
});

test('queue delete refuses a queue with messages unless forced', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '1', '--queue', 'orders']);
  const refused = await store.call(['queue', 'delete', 'orders']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /holds 1 message\(s\)\. .*--force/);
  const deleted = await store.json(['queue', 'delete', 'orders', '--force']);
  assert.deepEqual(deleted, { name: 'orders', deleted: true, messages: 1 });
  assert.equal((await store.call(['queue', 'info', 'orders'])).code, 3);
});

test('queue purge empties a queue and says of how many messages', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '--stdin', '--queue', 'orders'], { input: '1\n2\n' });
  assert.equal(
    await store.ok(['queue', 'purge', 'orders']),
    "Deleted 2 messages of queue 'orders'.\n",
  );
  assert.deepEqual(await store.json(['queue', 'purge', 'orders']), { name: 'orders', messages: 0 });
});

test('queue pause holds messages back until queue resume', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'orders']);
  await store.ok(['publish', '1', '--queue', 'orders']);
  assert.deepEqual(await store.json(['queue', 'pause', 'orders']), {
    name: 'orders',
    paused: true,
  });
  const held = await store.call(['consume', 'orders']);
  assert.equal(held.stdout, '');
  assert.match(held.stderr, /paused/);
  assert.deepEqual(await store.json(['queue', 'resume', 'orders']), {
    name: 'orders',
    paused: false,
  });
  assert.equal(await store.ok(['consume', 'orders']), '1\n');
});

test('a command that has no use for an empty store does not make one', async () => {
  const store = new TestStore();
  const commands = [
    ['queue', 'list'],
    ['queue', 'info', 'orders'],
    ['queue', 'update', 'orders', '--max-size', '1'],
    ['queue', 'delete', 'orders'],
    ['queue', 'purge', 'orders'],
    ['queue', 'pause', 'orders'],
    ['queue', 'resume', 'orders'],
    ['publish', '1', '--queue', 'orders'],
    ['consume', 'orders'],
    ['browse', 'orders'],
    ['dead-letters', 'list'],
    ['dead-letters', 'redrive'],
    ['dead-letters', 'purge'],
    ['exchange', 'list'],
    ['exchange', 'delete', 'events'],
    ['binding', 'create', '--exchange', 'a', '--queue', 'b'],
    ['binding', 'list'],
    ['binding', 'delete', '--exchange', 'a', '--queue', 'b'],
    ['doctor'],
  ];
  for (const command of commands) {
    const answer = await store.call([...command, '--json']);
    assert.equal(answer.code, 3, command.join(' '));
    const { error } = JSON.parse(answer.stderr) as { error: { code: string; message: string } };
    assert.equal(error.code, 'STORE_NOT_FOUND');
    assert.match(error.message, /--store or WHERRY_STORE.*wherry queue create/);
  }
  assert.equal(existsSync(store.path), false);
});
