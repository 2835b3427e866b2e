import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Ended, runExample } from './run-example.ts';

const examples = join(import.meta.dirname, '..');

/** What each example prints, its lines in order. */
async function printed(file: string): Promise<string[]> {
  const ended: Ended = await runExample(file);
  assert.equal(ended.code, 0, ended.output);
  return ended.output.trimEnd().split('\n');
}

describe('examples', { concurrency: 2 }, () => {
  test('minimal-worker handles what was sent, in order', async () => {
    const lines = await printed('minimal-worker.ts');
    assert.deepEqual(lines.slice(-4), [
      'mailing "Hello ada" to ada@example.com',
      'mailing "Hello grace" to grace@example.com',
      'mailing "Hello edsger" to edsger@example.com',
      '3 of 3 messages handled',
    ]);
  });

  test('batches: a result for each message, all or none, whole batches handled', async () => {
    assert.deepEqual(await printed('batches.ts'), [
      'stored 249 of 250',
      'message 7 was refused: SERIALIZATION',
      'atomic: stored 0 of 60, because there is room for 51',
      'inserting 100 rows at once',
      'inserting 100 rows at once',
      'inserting 49 rows at once',
    ]);
  });

  test('delayed-messages come in the order in which they are due, none early', async () => {
    const [counts, ...lines] = await printed('delayed-messages.ts');
    // On a busy machine, the one for a given time may be due by now.
    assert.match(counts!, /^(1 ready, 2|2 ready, 1) scheduled$/);
    const came = lines.map((line) => /after (\d+) ms: "(.+)" \((-?\d+) ms after/.exec(line)!);
    assert.deepEqual(
      came.map(([, , text]) => text),
      ['now', 'at a given time', 'in 600 ms'],
    );
    // The store's clock and the printed one may differ by what the system's clock was set right by.
    for (const [line, , , late] of came) assert.ok(Number(late) >= -5, line);
  });

  test('message-groups keep their order across a retry and run side by side', async () => {
    const lines = await printed('message-groups.ts');
    for (const account of ['ada', 'grace', 'edsger']) {
      assert.ok(lines.includes(`${account} in order: 1, 2, 3`), lines.join('\n'));
    }
    assert.equal(lines.at(-1), 'at most 3 at once, one for each account');
  });

  test('dead-letter-redrive: what died is handled after the redrive', async () => {
    const lines = await printed('dead-letter-redrive.ts');
    assert.deepEqual(lines.slice(0, 3), [
      "dead: invoice 1 of 'invoices' (max-retries: out of paper)",
      "dead: invoice 2 of 'invoices' (max-retries: out of paper)",
      "dead: invoice 3 of 'invoices' (max-retries: out of paper)",
    ]);
    // The printer starts while the redrive goes on.
    assert.deepEqual(lines.slice(3, -1).toSorted(), [
      'printed invoice 1',
      'printed invoice 2',
      'printed invoice 3',
      'redriven: 3, skipped: 0',
    ]);
    assert.equal(lines.at(-1), 'dead letters left: 0');
  });

  test('schedules: a message for each tick', async () => {
    assert.deepEqual(await printed('schedules.ts'), [
      'report at 2040-10-27T00:30:00.000Z',
      'report at 2040-10-28T00:30:00.000Z',
      'report at 2040-10-29T01:30:00.000Z',
      "poll, sent by 'poll'",
      "poll, sent by 'poll'",
      '1000 ms from tick to tick',
      'left: nightly report',
    ]);
  });

  test('request-reply: a reply, a failure, a silence', async () => {
    assert.deepEqual(await printed('request-reply.ts'), [
      'apple and pear: 40 and 55 cents',
      "The request to queue 'prices' has failed (rejected: no mango today).",
      "The reply to a request to queue 'prices' took longer than 200 ms.",
      'still there: null',
    ]);
  });

  test('priorities: the highest first, then the oldest', async () => {
    assert.deepEqual(await printed('priorities.ts'), [
      '9: the site is down',
      '255: the data is gone',
      '5: invoice is wrong',
      '5: another wrong invoice',
      '0: typo on the front page',
      '0: another typo',
    ]);
  });

  test('typed-payloads: the schema refuses, and fills in defaults', async () => {
    const lines = await printed('typed-payloads.ts');
    assert.ok(lines.includes('1 × BOAT, paid in USD'));
    assert.ok(lines.includes('2 × OAR, paid in EUR'));
    const refused = lines.filter((line) => /^refused: .*payload\.quantity/.test(line));
    assert.equal(refused.length, 1);
    assert.equal(lines.length, 3);
  });

  test('async-iterator: leaving the loop gives back what was taken ahead', async () => {
    const lines = await printed('async-iterator.ts');
    assert.deepEqual(lines.slice(0, 6), [
      'fetched /',
      'fetched /docs',
      '/blog does not answer: again in a moment',
      'fetched /about',
      'fetched /team',
      'left in the queue: 2, still held: 0',
    ]);
    assert.deepEqual(lines.slice(6, -1).toSorted(), [
      'fetched /blog (retries: 1)',
      'fetched /jobs (retries: 0)',
    ]);
    assert.equal(lines.at(-1), 'all fetched');
  });

  test('backpressure: refused, dropped, or made to wait, and never beyond the bound', async () => {
    const lines = await printed('backpressure.ts');
    assert.match(lines[3]!, /^rejecting: 4 refused: Queue 'rejecting' is full \(maxSize 3\)/);
    assert.equal(lines[4], 'dropping: holds 2, 3, 4');
    const [, took, most] = /20 sends took (\d+) ms; never more than (\d) stored/.exec(lines[5]!)!;
    // Room for 3, and 20 ms for each of the 17 that had to wait.
    assert.ok(Number(took) >= 17 * 20 - 20, lines[5]);
    assert.ok(Number(most) <= 3, lines[5]);
  });

  test('crash: the poison message is bounded, its neighbours are handled', async () => {
    const lines = await printed('crash.ts');
    const begun = lines.filter((line) => line.startsWith('  job 4 begins'));
    assert.deepEqual(begun, [
      '  job 4 begins, delivery 1',
      '  job 4 begins, delivery 2',
      '  job 4 begins, delivery 3',
    ]);
    assert.equal(lines.filter((line) => line.endsWith(' killed')).length, 3);
    for (const n of [1, 2, 3, 5, 6, 7, 8]) {
      assert.ok(lines.includes(`  job ${n} done`), `job ${n} was not done:\n${lines.join('\n')}`);
    }
    const dead = lines.filter((line) => line.startsWith('dead letter: '));
    assert.deepEqual(dead, ['dead letter: job 4 (lease-expired)']);
  });

  test('amqp-worker: each job is done once, and the one that fails is dead after three times', async () => {
    const lines = await printed('amqp-worker.ts');
    assert.equal(lines[0], '6 jobs are stored');
    const works = lines.slice(1).map((line) => line.replace(/^(ada|grace): /, ''));
    assert.deepEqual(works.toSorted(), [
      "dead: job 4 of 'jobs' (delivery_limit)",
      'job 1 is done',
      'job 2 is done',
      'job 3 is done',
      'job 4 fails',
      'job 4 fails',
      'job 4 fails',
      'job 5 is done',
      'job 6 is done',
    ]);
  });

  test('each example is named in the README with its command', () => {
    const readme = readFileSync(join(examples, 'README.md'), 'utf8');
    const sources = readdirSync(examples).filter((file) => file.endsWith('.ts'));
    const helpers = new Set(['temporary-folder.ts', 'until-empty.ts']);
    for (const file of sources.filter((name) => !helpers.has(name))) {
      assert.ok(readme.includes(`npx tsx examples/${file}`), `${file} is not in the README`);
    }
  });
});
