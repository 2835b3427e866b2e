import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from '../../src/access/permissions.ts';
import {
  expressionOf,
  globsOf,
  PatternError,
} from '../../src/protocols/management/permission-patterns.ts';

/** Of RabbitMQ's documentation and of its users, and what each says. */
const SAID: [expression: string, globs: string[]][] = [
  ['.*', ['*']],
  ['^.*$', ['*']],
  ['', []],
  ['^$', []],
  ['^name$', ['name']],
  ['^prefix.*', ['prefix*']],
  ['^prefix', ['prefix*']],
  // Without anchors it is found anywhere.
  ['name', ['*name*']],
  ['.*\\.log$', ['*.log']],
  ['^(a|b)$', ['a', 'b']],
  ['^(?:a|b)-.*', ['a-*', 'b-*']],
  ['^a$|^b.*$', ['a', 'b*']],
  ['^(amq\\.gen.*|amq\\.default)$', ['amq.gen*', 'amq.default']],
  ['^amq[.]gen-.*$', ['amq.gen-*']],
  ['^job-[123]$', ['job-1', 'job-2', 'job-3']],
  ['^queues?$', ['queues', 'queue']],
  ['^(a(b|c))?d$', ['abd', 'acd', 'd']],
  ['^\\[x\\]$', ['[x]']],
  ['a|', ['*']],
];

test('expressions become the globs that say the same', () => {
  for (const [expression, globs] of SAID) assert.deepEqual(globsOf(expression), globs, expression);
});

test('what globs cannot say is refused, with what to write instead', () => {
  const refused: [expression: string, why: RegExp][] = [
    ['^a.b$', /write \\\. where a dot is meant/],
    ['^job-[0-9]+$', /a range of characters/],
    ['^[^a]$', /a range of characters/],
    ['^a+$', /\+ repeats something else/],
    ['^a{2}$', /\{ repeats something else/],
    ['^(ab)*$', /\* repeats something else/],
    ['^\\w+$', /\\w stands for a kind of characters/],
    ['^(?!a).*', /a group of a special kind/],
    ['a^b', /stand within it/],
    ['^a\\*$', /cannot be told from a pattern/],
    ['(a', /a \) is missing/],
    ['a)', /a \) too many/],
    ['[a', /a \] is missing/],
    ['*a', /nothing before \*/],
    ['a\\', /nothing behind the last/],
    [`^(${'(a|b)'.repeat(20)})$`, /more than 100 patterns/],
    ['('.repeat(50), /nested too deeply/],
    [`^${'x'.repeat(300)}$`, /longer than 255 bytes/],
  ];
  for (const [expression, why] of refused) {
    assert.throws(
      () => globsOf(expression),
      (error: Error) =>
        error instanceof PatternError &&
        why.test(error.message) &&
        error.message.includes("'^(a1|a2)$'"),
      expression,
    );
  }
});

const part = fc.stringMatching(/^[ab.]{1,3}$/);
const escaped = part.map((text) => text.replaceAll('.', String.raw`\.`));
const piece = fc.oneof(
  escaped,
  fc.constant('.*'),
  fc.array(escaped, { minLength: 1, maxLength: 3 }).map((list) => `(${list.join('|')})`),
  escaped.map((text) => `(?:${text})?`),
);
const branch = fc
  .tuple(fc.boolean(), fc.array(piece, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([start, pieces, end]) => `${start ? '^' : ''}${pieces.join('')}${end ? '$' : ''}`);
const expressionArbitrary = fc
  .array(branch, { minLength: 1, maxLength: 3 })
  .map((branches) => branches.join('|'));
const nameArbitrary = fc.stringMatching(/^[ab.]{1,8}$/);

test('a name fits the globs exactly when it fits the expression', () => {
  fc.assert(
    fc.property(expressionArbitrary, fc.array(nameArbitrary), (expression, names) => {
      const globs = globsOf(expression);
      for (const name of names) {
        const fits = globs.some((glob) => matchesGlob(glob, name));
        assert.equal(fits, new RegExp(expression).test(name), `${expression} ${name}`);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('globs come back from the expression that is shown for them', () => {
  const glob = fc
    .stringMatching(/^[a(*.$\]|é^-]{1,6}$/)
    .map((text) => text.replaceAll(/\*+/g, '*'));
  fc.assert(
    fc.property(fc.uniqueArray(glob, { maxLength: 4 }), nameArbitrary, (globs, name) => {
      const back = globsOf(expressionOf(globs));
      const fits = (list: readonly string[]): boolean => list.some((one) => matchesGlob(one, name));
      assert.equal(fits(back), fits(globs));
      if (!globs.includes('*')) assert.deepEqual(back, globs);
    }),
  );
});

test('whatever is given, it is refused or taken, and soon', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a^$.*+?()[\]{}|\\-]{0,40}$/), (expression) => {
      try {
        globsOf(expression);
      } catch (error) {
        assert.ok(error instanceof PatternError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
