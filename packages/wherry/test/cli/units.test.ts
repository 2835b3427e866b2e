import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { describe } from '../../src/cli/errors.ts';
import { parseJson } from '../../src/cli/json.ts';
import { lineBatches } from '../../src/cli/lines.ts';
import { formatTable, printable, shorten } from '../../src/cli/table.ts';
import { formatBytes, formatDuration } from '../../src/cli/units.ts';
import { byteCount, decimal, duration, headers, integer, orNone } from '../../src/cli/values.ts';
import { QueueNotEmptyError, QueueNotFoundError, ValidationError } from '../../src/index.ts';

test('option values: what is accepted and what is not', () => {
  const accepted: [(text: string) => unknown, string, unknown][] = [
    [integer(0, 255), '255', 255],
    [decimal(0, 1), '0.25', 0.25],
    [duration, '1500', 1_500],
    [duration, '1.5s', 1_500],
    [byteCount, '64kb', 65_536],
    [byteCount, '2 GB', 2_147_483_648],
    [orNone(duration), 'none', 'none'],
    [headers, 'a=b=c', { a: 'b=c' }],
    [headers, 'x:y=:=1', { 'x:y': ':=1' }],
    [headers, 'a:=-1.5', { a: -1.5 }],
    [headers, 'a:=null', { a: null }],
    [headers, '__proto__=x', JSON.parse('{"__proto__":"x"}')],
  ];
  for (const [parse, text, value] of accepted) assert.deepEqual(parse(text), value, text);
  const refused: [(text: string) => unknown, string][] = [
    [integer(0, 255), '256'],
    [integer(0), '1e3'],
    [integer(0), ''],
    [decimal(0, 1), '1.1'],
    [decimal(0, 1), 'NaN'],
    [duration, '-1s'],
    [duration, ''],
    [byteCount, '0'],
    [byteCount, '1tb'],
    [orNone(duration), 'null'],
    [headers, '=x'],
    [headers, 'a:={}'],
  ];
  for (const [parse, text] of refused) {
    assert.throws(() => parse(text), { code: 'commander.invalidArgument' }, text);
  }
});

test('JSON numbers that a double holds pass, others are refused, strings are left alone', () => {
  const kept = [
    '9007199254740993.5',
    '[1e21, 123456789012345680000]',
    '"12345678901234567891"',
    '{"a\\"1": 1e308}',
  ];
  for (const text of kept) assert.deepEqual(parseJson(text), JSON.parse(text));
  for (const text of [
    '9007199254740993',
    '{"a":[1e309]}',
    '[-1e999]',
    '{"12345678901234567": 12345678901234567}',
  ]) {
    assert.throws(() => parseJson(text), ValidationError, text);
  }
});

test('lines are cut at newlines only, numbered, and bounded', async () => {
  const text = 'one\r\n\nthree is long\nfour';
  for (const size of [1, 2, 3, 5, 100]) {
    const chunks = [];
    for (let at = 0; at < text.length; at += size)
      chunks.push(Buffer.from(text.slice(at, at + size)));
    const lines = [];
    for await (const batch of lineBatches(Readable.from(chunks), 8)) lines.push(...batch);
    assert.deepEqual(
      lines.map(({ number, bytes }) => [number, bytes?.toString() ?? null]),
      [
        [1, 'one'],
        [2, ''],
        [3, null],
        [4, 'four'],
      ],
    );
  }
});

test('a table is set by its widest cells, numbers flush right, absent values as a dash', () => {
  const rows = [
    { name: 'a', count: 12_345, note: null },
    { name: 'longer', count: 6, note: 'x' },
  ];
  const table = formatTable(
    rows,
    { NAME: (row) => row.name, COUNT: (row) => row.count, NOTE: (row) => row.note },
    (heading) => heading,
  );
  assert.equal(table, 'NAME     COUNT  NOTE\na       12,345  -\nlonger       6  x\n');
});

test('text for people', () => {
  assert.equal(printable('a\u001b[31m\nb\u202ec'), 'a\\u001b[31m\\u000ab\\u202ec');
  assert.equal(shorten('abcdef', 4), 'abc…');
  assert.deepEqual([0, 999, 1_500, 90_000, 86_400_000, null].map(formatDuration), [
    '0ms',
    '999ms',
    '1.5s',
    '1.5m',
    '1d',
    '-',
  ]);
  assert.deepEqual([0, 1_023, 1_536, 5 * 2 ** 30].map(formatBytes), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '5 GiB',
  ]);
});

test('an error names the command to type instead of the method to call', () => {
  assert.equal(
    describe(new QueueNotFoundError('a. b')),
    "Queue 'a. b' does not exist. Create it with: wherry queue create 'a. b'",
  );
  assert.match(
    describe(new QueueNotEmptyError('q', 3)),
    /^Queue 'q' holds 3 message\(s\)\. Empty it with: /,
  );
});
