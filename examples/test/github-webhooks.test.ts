import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { MessageQueueSystem } from 'wherry';
import { type CheckedQueue, check, checkCounters } from '../github-webhooks/check.ts';
import { digestOf, loadWebhooks, routingKeyOf } from '../github-webhooks/corpus.ts';
import type { Outcome } from '../github-webhooks/handler.ts';
import { runExample } from './run-example.ts';

const folder = await mkdtemp(join(tmpdir(), 'wherry-webhooks-'));
after(() => rm(folder, { recursive: true }));

/** A row of the closing table: in, out, retried, expired, dead. */
function row(output: string, queue: string): number[] {
  const line = output.split('\n').find((text) => text.startsWith(`${queue} `));
  assert.ok(line !== undefined, `no row of ${queue} in:\n${output}`);
  const numbers = line.slice(queue.length).trim().split(/ +/);
  return numbers.slice(0, 5).map((text) => Number(text.replaceAll(',', '')));
}

describe('github-webhooks', () => {
  test('accounts for every payload, and again in the same folder', async () => {
    const count = loadWebhooks().length;
    for (const times of [1, 2]) {
      const dir = join(folder, 'store');
      const ended = await runExample(
        'github-webhooks/main.ts',
        '--dir',
        dir,
        '--times',
        `${times}`,
      );
      assert.equal(ended.code, 0, ended.output);
      assert.match(ended.output, new RegExp(`^OK: each of ${count * times} webhooks`, 'm'));
      assert.match(ended.output, /ms at priority 9.* ms at priority 0/);
      assert.match(ended.output, new RegExp(`${Math.ceil((count * times) / 10)} webhooks.*twice`));

      const [enqueued = 0, out = 0, retried = 0, expired, dead = 0] = row(
        ended.output,
        'audit-log',
      );
      assert.equal(enqueued, count * times);
      assert.equal(out + dead, enqueued);
      assert.ok(retried > 0 && dead > 0 && expired === 0, ended.output);
      assert.ok(row(ended.output, 'live-feed')[3]! > 0, `nothing expired:\n${ended.output}`);
    }
  });

  test('leaves a store alone that holds other queues', async () => {
    const dir = join(folder, 'other');
    const mq = await MessageQueueSystem.open({ storage: dir });
    await mq.createQueue({ name: 'orders' });
    await mq.close();
    const ended = await runExample('github-webhooks/main.ts', '--dir', dir);
    assert.equal(ended.code, 1);
    assert.match(ended.output, /holds other queues \(orders\)/);
  });

  test('refuses a wrong option', async () => {
    const ended = await runExample('github-webhooks/main.ts', '--times', 'many');
    assert.equal(ended.code, 2);
    assert.match(ended.output, /--times is 'many'/);
  });

  test('the corpus has two words in each key and several hundred payloads', () => {
    const webhooks = loadWebhooks();
    assert.ok(webhooks.length > 700);
    assert.equal(new Set(webhooks.map(({ delivery }) => delivery)).size, webhooks.length);
    for (const { routingKey } of webhooks) assert.match(routingKey, /^[^.]+\.[^.]+$/);
    assert.equal(routingKeyOf('push'), 'push.none');
    assert.equal(routingKeyOf('repository_dispatch', 'deploy.eu'), 'repository_dispatch.deploy_eu');
  });
});

describe('the check of github-webhooks', () => {
  const webhook = (delivery: string, routingKey: string) => {
    return { delivery, routingKey, digest: digestOf(Buffer.from(delivery)) };
  };
  const published = [webhook('a', 'issues.opened'), webhook('b', 'push.none')];
  const [a, b] = published.map(({ delivery, digest }): Outcome => {
    return { queue: 'q', delivery, digest, end: 'handled' };
  }) as [Outcome, Outcome];
  const queue = (...patterns: string[]): CheckedQueue[] => {
    return [{ name: 'q', patterns, possibleEnds: () => ['handled'] }];
  };
  const all = queue('#');
  const kinds = (outcomes: Outcome[], queues: CheckedQueue[] = all): string[] =>
    check(published, outcomes, queues).map(({ kind, delivery }) => `${kind} ${delivery}`);

  test('finds nothing when all is well', () => {
    assert.deepEqual(kinds([b, a]), []);
  });

  test('finds a missing payload', () => {
    assert.deepEqual(kinds([a]), ['missing b']);
  });

  test('finds a doubled payload, also one that is both handled and dead', () => {
    assert.deepEqual(kinds([a, b, b]), ['doubled b']);
    assert.deepEqual(kinds([a, b, { ...a, end: 'rejected' }]), ['doubled a']);
  });

  test('finds a payload with a changed byte, and two that changed places', () => {
    assert.deepEqual(kinds([a, { ...b, digest: digestOf(Buffer.from('B')) }]), ['damaged b']);
    const swapped = [
      { ...a, digest: b.digest },
      { ...b, digest: a.digest },
    ];
    assert.deepEqual(kinds(swapped), ['damaged a', 'damaged b']);
  });

  test('finds a payload in a queue where it does not belong, or that nobody sent', () => {
    assert.deepEqual(kinds([a, b], queue('issues.*')), ['astray b']);
    assert.deepEqual(kinds([a, b, { ...a, delivery: 'c' }]), ['astray c']);
  });

  test('finds a payload that came to another end than it must', () => {
    assert.deepEqual(kinds([a, { ...b, end: 'lease-expired' }]), ['wrong end b']);
  });

  test('finds a wrong counter', () => {
    const none = { delivered: 0, retried: 0, expired: 0, dropped: 0, leaseLost: 0 };
    const counters = { ...none, enqueued: 2, acknowledged: 1, deadLettered: 1 };
    const outcomes: Outcome[] = [a, { ...b, end: 'rejected' }];
    assert.deepEqual(checkCounters([{ name: 'q', counters }], outcomes), []);
    const wrong = { ...counters, acknowledged: 2 };
    const problems = checkCounters([{ name: 'q', counters: wrong }], outcomes);
    assert.deepEqual(
      problems.map(({ kind, detail }) => `${kind}: ${detail}`),
      ['miscounted: acknowledged is 2, 1 were seen'],
    );
  });

  const matching: [pattern: string, key: string, matches: boolean][] = [
    ['push.*', 'push.none', true],
    ['push.#', 'push.none', true],
    ['push.#', 'push', true],
    ['push.*', 'push', false],
    ['push', 'push.none', false],
    ['*.opened', 'issues.opened', true],
    ['*', 'issues.opened', false],
    ['#.opened', 'a.b.opened', true],
    ['#.b.#', 'a.b.c.d', true],
    ['a.#.d', 'a.b.c', false],
  ];
  for (const [pattern, key, matches] of matching) {
    test(`its matcher: ${pattern} ${matches ? 'matches' : 'does not match'} ${key}`, () => {
      const sent = [webhook('a', key)];
      const problems = check(sent, matches ? [{ ...a }] : [], queue(pattern));
      assert.deepEqual(problems, []);
      const opposite = check(sent, matches ? [] : [{ ...a }], queue(pattern));
      assert.equal(opposite[0]?.kind, matches ? 'missing' : 'astray');
    });
  }
});
