import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../../../../scripts/find-files.ts';
import { generateAmqp } from '../../../../../scripts/generate-amqp.ts';
import { METHODS } from '../../../src/protocols/amqp/method-table.ts';
import { REPLY } from '../../../src/protocols/amqp/reply-codes.ts';

test('the generated files are what the specification gives now', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-amqp-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await generateAmqp(folder);
  for (const name of ['method-table.ts', 'reply-codes.ts']) {
    const checkedIn = join(root, 'packages/server/src/protocols/amqp', name);
    assert.equal(readFileSync(join(folder, name), 'utf8'), readFileSync(checkedIn, 'utf8'), name);
  }
});

test('the table has every method once, with the numbers of the specification', () => {
  assert.equal(METHODS.length, 66);
  assert.equal(new Set(METHODS.map(({ id }) => id)).size, METHODS.length);
  assert.equal(new Set(METHODS.map(({ name }) => name)).size, METHODS.length);
  const idOf = (name: string): number | undefined => METHODS.find((m) => m.name === name)?.id;
  // Classes 10, 20, 60 and 85; the last is RabbitMQ's own, as is update-secret.
  assert.equal(idOf('connection.start'), (10 << 16) | 10);
  assert.equal(idOf('connection.update-secret'), (10 << 16) | 70);
  assert.equal(idOf('channel.close-ok'), (20 << 16) | 41);
  assert.equal(idOf('basic.nack'), (60 << 16) | 120);
  assert.equal(idOf('confirm.select'), (85 << 16) | 10);
  const withContent = METHODS.filter(({ hasContent }) => hasContent).map(({ name }) => name);
  assert.deepEqual(withContent, ['basic.publish', 'basic.return', 'basic.deliver', 'basic.get-ok']);
});

test('the reply codes have the numbers of the specification', () => {
  assert.equal(REPLY['not-found'], 404);
  assert.equal(REPLY['connection-forced'], 320);
  assert.equal(REPLY['internal-error'], 541);
});
