import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAmqplain, parsePlain } from '../../../src/protocols/amqp/sasl.ts';
import { encodeTable, type FieldValue, tableOf } from '../../../src/protocols/amqp/table.ts';

const word: fc.Arbitrary<string> = fc
  .string({ unit: 'binary' })
  .filter((text) => !text.includes('\0'));

test('PLAIN: user and password, whatever they are', () => {
  fc.assert(
    fc.property(word, word, (user, password) => {
      const found = { user, password };
      assert.deepEqual(parsePlain(Buffer.from(`\0${user}\0${password}`)), found);
      assert.deepEqual(parsePlain(Buffer.from(`${user}\0${user}\0${password}`)), found);
    }),
  );
});

test('PLAIN: nobody acts for another, and nothing else is taken', () => {
  for (const wrong of ['', 'guest', '\0guest', 'root\0guest\0guest', '\0a\0b\0c', '\0\xff']) {
    assert.equal(parsePlain(Buffer.from(wrong, 'latin1')), null, wrong);
  }
  assert.equal(parsePlain(Buffer.from('\0a\0\xff', 'latin1')), null);
});

test('AMQPLAIN: a table without its length', () => {
  fc.assert(
    fc.property(word, word, (user, password) => {
      const response = encodeTable(tableOf({ LOGIN: user, PASSWORD: password }));
      assert.deepEqual(parseAmqplain(response), { user, password });
    }),
  );
  // As kombu's py-amqp writes it: 05 LOGIN S ..., 08 PASSWORD S ...
  const written = '054c4f47494e5300000001610850415353574f5244530000000162';
  assert.deepEqual(parseAmqplain(Buffer.from(written, 'hex')), { user: 'a', password: 'b' });
});

test('AMQPLAIN: nothing else is taken', () => {
  const text = (value: string | Buffer): FieldValue => ({ type: 'S', value });
  const wrong = [
    Buffer.from('not a table'),
    encodeTable(tableOf({ LOGIN: 'a' })),
    encodeTable(tableOf({ LOGIN: 'a', PASSWORD: 1 })),
    encodeTable(
      new Map([
        ['LOGIN', text('a')],
        ['PASSWORD', text(Buffer.from([0xff]))],
      ]),
    ),
  ];
  for (const response of wrong) assert.equal(parseAmqplain(response), null);
});
