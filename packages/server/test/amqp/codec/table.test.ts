import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AmqpSyntaxError } from '../../../src/protocols/amqp/errors.ts';
import {
  decodeTable,
  encodeTable,
  equalTables,
  equalValues,
  type FieldValue,
  plainTable,
  type Table,
  tableOf,
} from '../../../src/protocols/amqp/table.ts';
import { table } from './arbitraries.ts';

test('a table comes back as it was written, byte for byte', () => {
  fc.assert(
    fc.property(table, fc.nat({ max: 9 }), (one, before) => {
      const bytes = encodeTable(one);
      assert.deepEqual(decodeTable(bytes), one);
      assert.deepEqual(encodeTable(decodeTable(bytes)), bytes);
      // Within other bytes, which it leaves alone.
      const padding = Buffer.alloc(before, 0xff);
      const within = Buffer.concat([padding, bytes, padding]);
      assert.deepEqual(decodeTable(within, before, before + bytes.length), one);
      assert.ok(equalTables(one, decodeTable(bytes)));
    }),
    { numRuns: 1000 },
  );
});

/** One field of each type, worked out by hand. */
const all: [bytes: string, name: string, value: FieldValue][] = [
  ['0162 74 01', 'b', { type: 't', value: true }],
  ['0163 62 80', 'c', { type: 'b', value: -128 }],
  ['0164 42 ff', 'd', { type: 'B', value: 255 }],
  ['0165 73 8000', 'e', { type: 's', value: -32_768 }],
  ['0166 75 ffff', 'f', { type: 'u', value: 65_535 }],
  ['0167 49 fffffffe', 'g', { type: 'I', value: -2 }],
  ['0168 69 fffffffe', 'h', { type: 'i', value: 4_294_967_294 }],
  ['0169 6c 8000000000000000', 'i', { type: 'l', value: -(2n ** 63n) }],
  ['016a 66 3fc00000', 'j', { type: 'f', value: 1.5 }],
  ['016b 64 3fb999999999999a', 'k', { type: 'd', value: 0.1 }],
  ['016c 44 02 00003039', 'l', { type: 'D', scale: 2, value: 12_345 }],
  ['016d 53 00000003 e282ac', 'm', { type: 'S', value: '€' }],
  ['016e 53 00000002 fffe', 'n', { type: 'S', value: Buffer.from([0xff, 0xfe]) }],
  ['016f 78 00000001 41', 'o', { type: 'x', value: Buffer.from('A') }],
  [
    '0170 41 00000003 74 00 56',
    'p',
    { type: 'A', value: [{ type: 't', value: false }, { type: 'V' }] },
  ],
  ['0171 54 ffffffffffffffff', 'q', { type: 'T', value: 2n ** 64n - 1n }],
  ['0172 46 00000004 0161 42 07', 'r', { type: 'F', value: new Map([['a', byte(7)]]) }],
  ['0173 56', 's', { type: 'V' }],
  ['00 56', '', { type: 'V' }],
];

function byte(value: number): FieldValue {
  return { type: 'B', value };
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

test('every type has the bytes that RabbitMQ gives it', () => {
  for (const [bytes, name, value] of all) {
    assert.deepEqual(decodeTable(hex(bytes)), new Map([[name, value]]), bytes);
    assert.deepEqual(encodeTable(new Map([[name, value]])), hex(bytes), bytes);
  }
  const together = hex(all.map(([bytes]) => bytes).join(''));
  assert.equal(decodeTable(together).size, all.length);
  assert.deepEqual(encodeTable(decodeTable(together)), together);
});

test('the letter L is read as l, and any byte but zero as true', () => {
  const read = decodeTable(hex('0161 4c ffffffffffffffff 0162 74 02'));
  assert.deepEqual(
    read,
    new Map<string, FieldValue>([
      ['a', { type: 'l', value: -1n }],
      ['b', { type: 't', value: true }],
    ]),
  );
});

test('of two fields with one name the last wins', () => {
  assert.deepEqual(decodeTable(hex('0161 42 01 0161 42 02')), new Map([['a', byte(2)]]));
});

test('what is no table is a syntax error', () => {
  const wrong = {
    'no type follows the name': '0161',
    'the name is longer than what is left': '0561 42',
    'no such type': '0161 7a 00',
    'a text longer than what is left': '0161 53 ffffffff 41',
    'an array longer than what is left': '0161 41 00000002 56',
    'a table that cuts off its last field': '0161 46 00000003 0161 42 07',
    'a number that is cut off': '0161 6c 00000000',
    'a name that is not UTF-8': '01ff 56',
  };
  for (const [reason, bytes] of Object.entries(wrong)) {
    assert.throws(() => decodeTable(hex(bytes)), AmqpSyntaxError, reason);
  }
});

test('32 tables and arrays may be within each other, not more', () => {
  const nest = (levels: number): Table => {
    let value: FieldValue = { type: 'V' };
    for (let i = 1; i < levels; i++) {
      value =
        i % 2 === 0 ? { type: 'A', value: [value] } : { type: 'F', value: new Map([['a', value]]) };
    }
    return new Map([['a', value]]);
  };
  const deepest = encodeTable(nest(32));
  assert.deepEqual(encodeTable(decodeTable(deepest)), deepest);
  assert.throws(() => encodeTable(nest(33)), RangeError);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(deepest.length);
  const deeper = Buffer.concat([hex('0161 46'), length, deepest]);
  assert.throws(() => decodeTable(deeper), {
    message: 'SYNTAX_ERROR - more than 32 tables and arrays are nested',
  });
});

test('a hundred kilobytes of nothing but nested arrays are refused, not walked down', () => {
  const levels = 25_000;
  const bytes = Buffer.alloc(2 + levels * 5);
  bytes.write('\u0001a');
  for (let i = 0; i < levels; i++) {
    bytes.write('A', 2 + i * 5);
    bytes.writeUInt32BE(bytes.length - (2 + i * 5) - 5, 2 + i * 5 + 1);
  }
  assert.throws(() => decodeTable(bytes), AmqpSyntaxError);
});

test('values outside their types are refused', () => {
  const wrong: FieldValue[] = [
    { type: 'b', value: 128 },
    { type: 'B', value: -1 },
    { type: 's', value: 40_000 },
    { type: 'u', value: 65_536 },
    { type: 'I', value: 2 ** 31 },
    { type: 'i', value: 2 ** 32 },
    { type: 'I', value: 0.5 },
    { type: 'l', value: 2n ** 63n },
    { type: 'T', value: -1n },
    { type: 'D', scale: 256, value: 0 },
  ];
  for (const value of wrong) {
    assert.throws(() => encodeTable(new Map([['a', value]])), RangeError, `type ${value.type}`);
  }
  assert.throws(() => encodeTable(new Map([['n'.repeat(256), { type: 'V' }]])), RangeError);
});

test('a table is listed as JSON can hold it', () => {
  const plain = plainTable(decodeTable(hex(all.map(([bytes]) => bytes).join(''))));
  assert.equal(Object.getPrototypeOf(plain), null);
  assert.deepEqual(JSON.parse(JSON.stringify(plain)), {
    '': null,
    b: true,
    c: -128,
    d: 255,
    e: -32_768,
    f: 65_535,
    g: -2,
    h: 4_294_967_294,
    i: '-9223372036854775808',
    j: 1.5,
    k: 0.1,
    l: 123.45,
    m: '€',
    n: '\ufffd\ufffd',
    o: 'QQ==',
    p: [false, null],
    q: '18446744073709551615',
    r: { a: 7 },
    s: null,
  });
});

test('a name that objects know already is only a name', () => {
  const named = new Map<string, FieldValue>([['__proto__', { type: 'F', value: new Map() }]]);
  const plain = plainTable(decodeTable(encodeTable(named)));
  assert.deepEqual(Object.keys(plain), ['__proto__']);
  assert.equal(encodeTable(tableOf(plain)).toString('hex'), encodeTable(named).toString('hex'));
});

test('a plain object becomes a table', () => {
  assert.deepEqual(
    tableOf({
      yes: true,
      small: -7,
      large: 2 ** 31,
      half: 0.5,
      huge: 1e300,
      big: 5n,
      text: 't',
      bytes: new Uint8Array([1]),
      none: null,
      left: undefined,
      list: [1, 'a', undefined],
      inner: { a: false },
    }),
    new Map<string, FieldValue>([
      ['yes', { type: 't', value: true }],
      ['small', { type: 'I', value: -7 }],
      ['large', { type: 'l', value: 2n ** 31n }],
      ['half', { type: 'd', value: 0.5 }],
      ['huge', { type: 'd', value: 1e300 }],
      ['big', { type: 'l', value: 5n }],
      ['text', { type: 'S', value: 't' }],
      ['bytes', { type: 'x', value: Buffer.from([1]) }],
      ['none', { type: 'V' }],
      [
        'list',
        { type: 'A', value: [{ type: 'I', value: 1 }, { type: 'S', value: 'a' }, { type: 'V' }] },
      ],
      ['inner', { type: 'F', value: new Map([['a', { type: 't', value: false }]]) }],
    ]),
  );
  assert.throws(() => tableOf({ a: () => 1 }), TypeError);
  const circle: Record<string, unknown> = {};
  circle['a'] = circle;
  assert.throws(() => tableOf(circle), RangeError);
  const ring: unknown[] = [];
  ring.push(ring);
  assert.throws(() => tableOf({ ring }), RangeError);
});

test('JSON goes through a table and comes back', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ maxLength: 20 }), fc.jsonValue({ maxDepth: 5 })),
      (json) => {
        const back = plainTable(decodeTable(encodeTable(tableOf(json))));
        assert.equal(JSON.stringify(back), JSON.stringify(json));
      },
    ),
  );
});

test('numbers are equal across the widths, and to nothing else', () => {
  const one: FieldValue[] = [
    { type: 'b', value: 1 },
    { type: 'B', value: 1 },
    { type: 's', value: 1 },
    { type: 'u', value: 1 },
    { type: 'I', value: 1 },
    { type: 'i', value: 1 },
    { type: 'l', value: 1n },
  ];
  for (const a of one) for (const b of one) assert.ok(equalValues(a, b), `${a.type} ${b.type}`);
  const others: FieldValue[] = [
    { type: 'I', value: 2 },
    { type: 'd', value: 1 },
    { type: 't', value: true },
    { type: 'T', value: 1n },
    { type: 'S', value: '1' },
    { type: 'D', scale: 0, value: 1 },
    { type: 'V' },
    { type: 'x', value: Buffer.from('1') },
  ];
  for (const b of others) assert.ok(!equalValues(one[0]!, b), b.type);
  assert.ok(equalValues({ type: 'f', value: 0.5 }, { type: 'd', value: 0.5 }));
  assert.ok(!equalValues({ type: 'D', scale: 1, value: 10 }, { type: 'D', scale: 0, value: 1 }));
  assert.ok(equalValues({ type: 'S', value: 'a' }, { type: 'S', value: Buffer.from('a') }));
});

test('tables are equal in any order of their fields, and not when one has more', () => {
  const inner: FieldValue = { type: 'A', value: [{ type: 'I', value: 1 }] };
  const a = new Map<string, FieldValue>([
    ['x', inner],
    ['y', { type: 'F', value: new Map([['z', byte(1)]]) }],
  ]);
  assert.ok(equalTables(a, new Map([...a].toReversed())));
  assert.ok(!equalTables(a, new Map([['x', inner]])));
  assert.ok(!equalTables(new Map([['x', inner]]), new Map([['y', inner]])));
  const longer: FieldValue = { type: 'A', value: [...inner.value, byte(1)] };
  assert.ok(!equalTables(new Map([['x', inner]]), new Map([['x', longer]])));
});
