import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { AmqpError } from '../../../src/protocols/amqp/errors.ts';

test('an error has the code and the text of RabbitMQ, and closes what the specification says', () => {
  const method = { classId: 50, methodId: 10 };
  const missing = new AmqpError('not-found', "no queue 'x' in vhost '/'", { method });
  assert.equal(missing.message, "NOT_FOUND - no queue 'x' in vhost '/'");
  assert.deepEqual([missing.code, missing.scope, missing.method], [404, 'channel', method]);
  const login = new AmqpError('access-refused', 'Login was refused', { scope: 'connection' });
  assert.deepEqual([login.code, login.scope, login.method], [403, 'connection', undefined]);
  const unexpected = new AmqpError('unexpected-frame', 'a body without a header');
  assert.deepEqual([unexpected.code, unexpected.scope], [505, 'connection']);
});

test('the text always fits into a short string, and is never cut within a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (explanation) => {
      const error = new AmqpError('not-found', explanation);
      const bytes = Buffer.from(error.message);
      assert.ok(bytes.length <= 255 && isUtf8(bytes));
      assert.ok(!error.message.includes('\ufffd') || explanation.includes('\ufffd'));
      assert.equal(error.explanation, explanation);
    }),
  );
  // One of them would be cut within its last character.
  for (const first of ['', 'x']) {
    const { message } = new AmqpError('not-found', first + 'é'.repeat(200));
    assert.match(message, /^NOT_FOUND - x?é+\.\.\.$/);
    assert.ok(Buffer.byteLength(message) >= 254);
  }
  const long = new AmqpError('not-found', 'x'.repeat(300));
  assert.equal(long.message, `NOT_FOUND - ${'x'.repeat(240)}...`);
});
