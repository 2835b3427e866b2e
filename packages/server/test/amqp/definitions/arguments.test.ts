import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AmqpError } from '../../../src/protocols/amqp/errors.ts';
import { type FieldValue, type Table, tableOf } from '../../../src/protocols/amqp/table.ts';
import { bindingArguments } from '../../../src/servers/amqp/definitions/binding-arguments.ts';
import {
  requireEqual,
  requireEqualArguments,
} from '../../../src/servers/amqp/definitions/equivalence.ts';
import {
  alternateExchangeOf,
  routingTypeOf,
} from '../../../src/servers/amqp/definitions/exchange-arguments.ts';
import {
  checkQueueArguments,
  comparedArguments,
  queueSettingsOf,
} from '../../../src/servers/amqp/definitions/queue-arguments.ts';

const WHAT = "queue 'q' in vhost '/'";
const DURABLE = { durable: true, exclusive: false, autoDelete: false };

/** A table of typed values, and of plain ones as `tableOf` takes them. */
function table(fields: Record<string, unknown>): Table {
  const isTyped = (value: unknown): value is FieldValue =>
    typeof value === 'object' && value !== null && 'type' in value;
  const plain = Object.entries(fields).filter(([, value]) => !isTyped(value));
  const typed = Object.entries(fields).filter(([, value]) => isTyped(value));
  return new Map([...tableOf(Object.fromEntries(plain)), ...(typed as [string, FieldValue][])]);
}

function refusal(act: () => unknown): string {
  let text = 'nothing was refused';
  assert.throws(act, (error) => {
    assert.ok(error instanceof AmqpError, String(error));
    assert.equal(error.scope, 'channel');
    text = error.message;
    return true;
  });
  return text;
}

describe('arguments of a queue', () => {
  const quorum = { 'x-queue-type': 'quorum' };
  const lazy: FieldValue = { type: 'l', value: 315_360_000_001n };
  // What RabbitMQ 3.10.8 answers to the same, after "invalid arg '…' for queue 'q' in vhost '/'".
  const refused: [string, Record<string, unknown>, string][] = [
    ['x-message-ttl', { 'x-message-ttl': -1 }, ': {value_negative,-1}'],
    ['x-message-ttl', { 'x-message-ttl': 'a' }, ': "expected integer, got longstr"'],
    ['x-message-ttl', { 'x-message-ttl': true }, ': "expected integer, got bool"'],
    ['x-message-ttl', { 'x-message-ttl': 1.5 }, ': "expected integer, got double"'],
    ['x-message-ttl', { 'x-message-ttl': null }, ': "expected integer, got void"'],
    ['x-message-ttl', { 'x-message-ttl': lazy }, ': {value_too_large,315360000001}'],
    ['x-expires', { 'x-expires': 0 }, ': {value_zero,0}'],
    ['x-expires', { 'x-expires': -5 }, ': {value_negative,-5}'],
    ['x-max-length', { 'x-max-length': -1 }, ': {value_negative,-1}'],
    ['x-max-length-bytes', { 'x-max-length-bytes': [1] }, ': "expected integer, got array"'],
    ['x-max-priority', { 'x-max-priority': 256 }, ': {max_value_exceeded,256}'],
    [
      'x-dead-letter-routing-key',
      { 'x-dead-letter-routing-key': 'k' },
      ': routing_key_but_no_dlx_defined',
    ],
    [
      'x-dead-letter-routing-key',
      { 'x-dead-letter-exchange': 'a', 'x-dead-letter-routing-key': { type: 'b', value: 5 } },
      ': {unacceptable_type,byte}',
    ],
    ['x-overflow', { 'x-overflow': 'x' }, ': invalid_overflow'],
    ['x-overflow', { 'x-overflow': 1 }, ': {unacceptable_type,signedint}'],
    ['x-queue-mode', { 'x-queue-mode': 'x' }, `: "unsupported queue mode 'x'"`],
    ['x-queue-version', { 'x-queue-version': 3 }, `: "unsupported queue version '3'"`],
    [
      'x-single-active-consumer',
      { 'x-single-active-consumer': 'true' },
      ': {unacceptable_type,longstr}',
    ],
    ['x-queue-type', { 'x-queue-type': 'bogus' }, `: "unsupported queue type 'bogus'"`],
    ['x-queue-type', { 'x-queue-type': 'stream' }, `: "unsupported queue type 'stream'"`],
    ['x-queue-mode', { ...quorum, 'x-queue-mode': 'lazy' }, ' of queue type rabbit_quorum_queue'],
    ['x-max-age', { 'x-max-age': '1D' }, ' of queue type rabbit_classic_queue'],
    [
      'x-dead-letter-strategy',
      { 'x-dead-letter-strategy': 'at-most-once' },
      ' of queue type rabbit_classic_queue',
    ],
    [
      'x-dead-letter-strategy',
      { ...quorum, 'x-dead-letter-strategy': 'x' },
      ': invalid_dlx_strategy',
    ],
  ];
  for (const [key, fields, complaint] of refused) {
    it(`refuses ${key}${complaint}`, () => {
      const text = refusal(() => checkQueueArguments(table(fields), DURABLE, WHAT));
      assert.equal(text, `PRECONDITION_FAILED - invalid arg '${key}' for ${WHAT}${complaint}`);
    });
  }

  it('refuses a dead-letter exchange that is no text', () => {
    const fields = { 'x-dead-letter-exchange': { type: 'b', value: 5 } };
    assert.equal(
      refusal(() => checkQueueArguments(table(fields), DURABLE, WHAT)),
      `PRECONDITION_FAILED - invalid type 'byte' for arg 'x-dead-letter-exchange' in ${WHAT}`,
    );
  });

  for (const [property, changed] of [
    ['non-durable', { durable: false }],
    ['exclusive-owner', { exclusive: true }],
    ['auto-delete', { autoDelete: true }],
  ] as const) {
    it(`refuses a quorum queue that is ${property}`, () => {
      const check = (): void =>
        checkQueueArguments(table(quorum), { ...DURABLE, ...changed }, WHAT);
      assert.equal(
        refusal(check),
        `PRECONDITION_FAILED - invalid property '${property}' for ${WHAT}`,
      );
    });
  }

  it('takes what RabbitMQ takes, and two that it does not', () => {
    const taken: Record<string, unknown>[] = [
      { 'x-message-ttl': { type: 'l', value: 315_360_000_000n }, 'x-max-length': 0 },
      { 'x-max-priority': 0, 'x-queue-mode': 'lazy', 'x-queue-version': 2 },
      { 'x-overflow': 'reject-publish-dlx', 'x-single-active-consumer': true },
      { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'k' },
      { foo: [1, { a: null }], 'x-ha-policy': 'all' },
      { ...quorum, 'x-max-priority': 5 },
      { 'x-queue-type': 'classic', 'x-delivery-limit': 5 },
    ];
    for (const fields of taken) checkQueueArguments(table(fields), DURABLE, WHAT);
  });

  it('become settings', () => {
    const fields = {
      'x-message-ttl': 0,
      'x-expires': 60_000,
      'x-max-length': 10,
      'x-dead-letter-exchange': 'dlx',
      'x-max-priority': { type: 'B', value: 10 },
    };
    const settings = queueSettingsOf(table(fields));
    const { messageTtl, expiresAfterIdle, maxSize, overflow } = settings;
    assert.deepEqual(
      { messageTtl, expiresAfterIdle, maxSize, overflow },
      { messageTtl: 1_000, expiresAfterIdle: 60_000, maxSize: 10, overflow: 'drop-oldest' },
    );
    assert.equal(settings.deadLetterExchange, 'dlx');
    assert.equal(settings.deadLetterRoutingKey, null);
    assert.equal(settings.maxPriority, 10);
    const refusing = { 'x-max-length': 10, 'x-overflow': 'reject-publish' };
    assert.equal(queueSettingsOf(table(refusing)).overflow, 'reject');
    assert.equal(queueSettingsOf(table({})).maxPriority, 0);
  });
});

describe('equivalence of a redeclaration', () => {
  const compare = (received: Record<string, unknown>, current: Record<string, unknown>): void => {
    const [a, b] = [table(received), table(current)];
    requireEqualArguments(comparedArguments(a, b), a, b, WHAT);
  };
  const ttl = 'x-message-ttl';
  const differing: [string, Record<string, unknown>, Record<string, unknown>, string][] = [
    ['nothing', {}, { [ttl]: 5 }, "received none but current is the value '5' of type 'signedint'"],
    ['new', { [ttl]: 5 }, {}, "received the value '5' of type 'signedint' but current is none"],
    ['value', { [ttl]: 6 }, { [ttl]: 5 }, "received '6' but current is '5'"],
    ['text', { [ttl]: '5' }, { [ttl]: 5 }, "received '5' but current is '5'"],
    [
      'double',
      { [ttl]: { type: 'd', value: 5 } },
      { [ttl]: 5 },
      "received '5.0' but current is '5'",
    ],
    [
      'array',
      {
        [ttl]: {
          type: 'A',
          value: [
            { type: 'S', value: 'a' },
            { type: 'b', value: 1 },
          ],
        },
      },
      {},
      `received the value '[{longstr,<<"a">>},{byte,1}]' of type 'array' but current is none`,
    ],
    [
      'table',
      { [ttl]: { type: 'F', value: new Map([['a', { type: 'b', value: 1 }]]) } },
      {},
      `received the value '[{<<"a">>,byte,1}]' of type 'table' but current is none`,
    ],
    [
      'void',
      { [ttl]: null },
      {},
      "received the value 'undefined' of type 'void' but current is none",
    ],
    [
      'decimal',
      { [ttl]: { type: 'D', scale: 1, value: 5 } },
      {},
      "received the value '{1,5}' of type 'decimal' but current is none",
    ],
  ];
  for (const [label, received, current, difference] of differing) {
    it(`tells of another ${label}`, () => {
      assert.equal(
        refusal(() => compare(received, current)),
        `PRECONDITION_FAILED - inequivalent arg '${ttl}' for ${WHAT}: ${difference}`,
      );
    });
  }

  it('tells of another queue type, and takes classic for none', () => {
    compare({ 'x-queue-type': 'classic' }, {});
    assert.match(
      refusal(() => compare({ 'x-queue-type': 'quorum' }, {})),
      /'x-queue-type'.*received the value 'quorum' of type 'longstr' but current is none$/,
    );
  });

  it('passes over the width of integers, and arguments that nobody knows', () => {
    compare({ [ttl]: { type: 'b', value: 5 } }, { [ttl]: { type: 'l', value: 5n } });
    compare({ 'x-foo': 1 }, { 'x-foo': 2, bar: 'x' });
  });

  it('tells of properties', () => {
    requireEqual('durable', true, true, WHAT);
    assert.equal(
      refusal(() => requireEqual('auto_delete', false, true, WHAT)),
      `PRECONDITION_FAILED - inequivalent arg 'auto_delete' for ${WHAT}: ` +
        "received 'false' but current is 'true'",
    );
  });
});

describe('arguments of an exchange', () => {
  it('say how it routes', () => {
    assert.equal(routingTypeOf('topic', table({})), 'topic');
    const delayed = table({ 'x-delayed-type': 'headers' });
    assert.equal(routingTypeOf('x-delayed-message', delayed), 'headers');
    assert.equal(
      refusal(() => routingTypeOf('Direct', table({}))),
      "PRECONDITION_FAILED - invalid exchange type 'Direct': unknown exchange type",
    );
    for (const type of [undefined, 'x-delayed-message', 5]) {
      const without = table(type === undefined ? {} : { 'x-delayed-type': type });
      assert.equal(
        refusal(() => routingTypeOf('x-delayed-message', without)),
        "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type",
      );
    }
  });

  it('name its alternate', () => {
    const what = "exchange 'x' in vhost '/'";
    assert.equal(alternateExchangeOf(table({}), what), null);
    assert.equal(alternateExchangeOf(table({ 'alternate-exchange': 'a' }), what), 'a');
    assert.equal(
      refusal(() => alternateExchangeOf(table({ 'alternate-exchange': 5 }), what)),
      `PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in ${what}`,
    );
  });
});

describe('arguments of a binding', () => {
  it('are a part of what it is, in whatever order', () => {
    const one = bindingArguments('direct', table({ a: 1, b: 2 }));
    assert.deepEqual(bindingArguments('direct', table({ b: 2, a: 1 })), one);
    assert.equal(one.headers, undefined);
    const wider = table({ a: { type: 'l', value: 1n }, b: 2 });
    assert.notEqual(bindingArguments('direct', wider).arguments, one.arguments);
    assert.deepEqual(bindingArguments('topic', table({})), {});
  });

  it('are what a headers exchange asks for', () => {
    const fields = {
      'x-match': 'any',
      text: 'a',
      number: { type: 'l', value: 5n },
      present: null,
      list: [1],
    };
    const { match, headers } = bindingArguments('headers', table(fields));
    assert.equal(match, 'any');
    const { list, ...others } = headers!;
    assert.deepEqual(others, { text: 'a', number: 5, present: null });
    // No message has such a header; null would ask for its presence.
    assert.equal(typeof list, 'string');
    assert.equal(bindingArguments('headers', table({})).match, 'all');
  });

  it('are refused where x-match says nothing', () => {
    assert.equal(
      refusal(() => bindingArguments('headers', table({ 'x-match': 'bogus' }))),
      'PRECONDITION_FAILED - Invalid x-match field value <<"bogus">>; ' +
        'expected all, any, all-with-x, or any-with-x',
    );
    const typed = table({ 'x-match': { type: 'b', value: 1 } });
    assert.equal(
      refusal(() => bindingArguments('headers', typed)),
      'PRECONDITION_FAILED - Invalid x-match field type byte (value 1); expected longstr',
    );
    // Other exchanges do not look.
    bindingArguments('direct', table({ 'x-match': 'bogus' }));
  });
});
