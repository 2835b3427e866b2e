import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Delivery, MessageQueueSystem, StorageError } from 'wherry';
import * as z from 'zod';
import { parseJson } from '../../src/protocols/http/json.ts';
import { parse } from '../../src/protocols/http/mistakes.ts';
import { LineSplitter } from '../../src/protocols/http/ndjson.ts';
import { problemOf } from '../../src/protocols/http/problem.ts';
import { messageOfRaw, rawOfDelivery } from '../../src/protocols/http/raw-message.ts';

/** The same numbers on every run (a linear congruential generator). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('lines are the same in whatever pieces they come', () => {
  const random = randomNumbers(7);
  const alphabet = ['a', 'é', '\n', '\r\n', ' ', '"', '\n\n', 'long'.repeat(20)];
  for (let round = 0; round < 2_000; round++) {
    const parts = Array.from({ length: random(30) }, () => alphabet[random(alphabet.length)]!);
    const bytes = Buffer.from(parts.join(''));
    const splitter = new LineSplitter(10_000);
    const lines: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + random(20);
      lines.push(...splitter.push(bytes.subarray(at, end)));
      at = end;
    }
    lines.push(...splitter.finish());
    const expected = bytes
      .toString()
      .split('\n')
      .filter((line) => /[^ \r\t]/.test(line));
    assert.deepEqual(lines.map(String), expected);
    assert.equal(splitter.kept, 0);
  }
});

test('what a delivery has comes back from its headers, whatever it is', async () => {
  await using mq = await MessageQueueSystem.open();
  await mq.createQueue({ name: 'q' });
  const texts = [
    'a b',
    'ключ',
    '100%',
    'a\r\nSet-Cookie: x',
    '"',
    "';--",
    '🔑',
    '%2F',
    '\u0000',
    '',
  ];
  for (const text of texts) {
    const name = /^$|\r/.test(text) || text.includes('\u0000') ? 'g' : text;
    const sent = { payload: text, groupId: name, correlationId: text, headers: { 'x-text': text } };
    await mq.sendMessage('q', sent);
    const delivery = (await mq.receiveMessage('q', 'me')) as Delivery;
    const { body, headers } = rawOfDelivery(delivery);
    for (const value of Object.values(headers)) assert.match(value, /^[\u0020-\u007e]*$/);
    const own = Object.entries(headers).filter(
      ([header]) =>
        !/-(?:receipt|id|timestamp|count|until)$/.test(header) || /group|correlation/.test(header),
    );
    const message = messageOfRaw(Buffer.from(body), Object.fromEntries(own));
    const { payload, groupId, correlationId, headers: back } = message;
    assert.deepEqual({ payload, groupId, correlationId, headers: back }, sent);
    await delivery.acknowledge();
  }
});

test('an error that nobody meant to show tells nothing of itself', () => {
  const secret = new TypeError('password hunter2 of 10.0.0.7');
  const { problem } = problemOf(secret, 'r-1');
  assert.deepEqual([problem.status, problem.code, problem.requestId], [500, 'INTERNAL', 'r-1']);
  assert.doesNotMatch(JSON.stringify(problem), /hunter2/);
  const passing = problemOf(new StorageError('The connection was lost.', { retriable: true }));
  assert.deepEqual([passing.problem.status, passing.headers['retry-after']], [503, '1']);
  assert.equal(problemOf(new StorageError('The disk is full.')).problem.status, 500);
});

test('a mistake shows the value, unless it is a secret', () => {
  const schema = z.strictObject({ password: z.string().min(8), list: z.array(z.int().max(3)) });
  const wrong = { password: 'hunter2', list: [1, 'x'.repeat(500), 9] };
  assert.throws(
    () => parse(schema, wrong, 'body'),
    ({ message }: Error) => {
      assert.doesNotMatch(message, /hunter2/);
      assert.match(message, /body\.list\[1\] is "x{10,100}…/);
      assert.match(message, /body\.list\[2\] is 9: .*<=3/);
      return true;
    },
  );
});

test('depth is counted outside of strings only', () => {
  const brackets = '['.repeat(5_000);
  assert.equal(parseJson(Buffer.from(JSON.stringify(`${brackets}"\\`))), `${brackets}"\\`);
  assert.throws(() => parseJson(Buffer.from(`"${'\\"'.repeat(600)}" ${brackets}`)), /deeper than/);
  assert.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), /not UTF-8/);
  assert.equal(parseJson(Buffer.alloc(0)), undefined);
});
