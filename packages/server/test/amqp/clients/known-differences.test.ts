import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPage } from '../../../../wherry/test/docs/markdown.ts';
import { FAMILIES } from './families.ts';
import { KNOWN_DIFFERENCES } from './known-differences.ts';
import { expectedTranscript } from './run-client.ts';

test('docs/amqp.md has every known difference, and no other', () => {
  const { text } = readPage('docs/amqp.md');
  const [, section = ''] =
    /## Where it differs from RabbitMQ\n\n(.*?)\n(?=\n## |$)/s.exec(text) ?? [];
  assert.equal(section, KNOWN_DIFFERENCES.map(({ reason }) => `- ${reason}`).join('\n'));
});

test('what is known to differ is a step of a transcript', () => {
  for (const [family, step] of KNOWN_DIFFERENCES.flatMap(({ steps }) => steps)) {
    const steps = expectedTranscript(family).map((line) => line.step);
    assert.ok(steps.includes(step), `${family} has no step ${step}`);
  }
});

test('every client has a transcript of RabbitMQ that ends well, and a test', () => {
  const files = readdirSync(import.meta.dirname);
  const tests = files.filter(
    (name) => name.endsWith('.test.ts') && name !== 'known-differences.test.ts',
  );
  const names = Object.keys(FAMILIES).toSorted();
  assert.deepEqual(tests.map((name) => name.replace('.test.ts', '')).toSorted(), names);
  const transcripts = readdirSync(join(import.meta.dirname, 'expected'));
  assert.deepEqual(transcripts.map((name) => name.replace('.jsonl', '')).toSorted(), names);
  for (const name of names) assert.deepEqual(expectedTranscript(name).at(-1), { step: 'end' });
});
