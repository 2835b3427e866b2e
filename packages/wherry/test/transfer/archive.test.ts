/** What a line of an export says of a message is what an import reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PayloadEncoding } from '../../src/core/driver.ts';
import type { Death } from '../../src/core/message.ts';
import {
  type ArchivedMessage,
  formatLine,
  parseHeader,
  parseLine,
} from '../../src/core/transfer/archive.ts';

const ROUTE = {
  exchange: '',
  routingKeys: ['orders'],
  toExchange: 'dlx',
  toRoutingKeys: ['a', 'b'],
};
const DEATH: Death = { queue: 'orders', reason: 'rejected', time: 5, count: 2, error: 'no' };

function messageWith(fields: Partial<ArchivedMessage>): ArchivedMessage {
  return {
    id: '0'.repeat(32),
    queueName: 'orders',
    encoding: 'text',
    body: 'body',
    bytes: 4,
    properties: null,
    priority: 0,
    groupId: null,
    deduplicationId: null,
    timestamp: 1,
    availableAt: 1,
    expiresAt: null,
    retryCount: 0,
    deliveryCount: 0,
    deaths: [],
    parked: null,
    ...fields,
  };
}

function throughText(message: ArchivedMessage): unknown {
  const line = parseLine(JSON.parse(formatLine({ kind: 'message', message })));
  assert.ok(line?.kind === 'message');
  return line.message;
}

const bytes = Buffer.from([0, 255, 0xc3]);
const BODIES: Record<PayloadEncoding, readonly (string | Uint8Array)[]> = {
  json: ['{"a":1}', '{"a": 1}', '1e400', 'no JSON'],
  text: ['', 'ü', '{"a":1}'],
  bytes: [bytes, Buffer.alloc(0)],
  amqp: [bytes, Buffer.alloc(0)],
};

for (const [encoding, bodies] of Object.entries(BODIES)) {
  test(`a body of ${encoding} comes back as it was`, () => {
    for (const body of bodies) {
      const message = messageWith({ encoding: encoding as PayloadEncoding, body });
      assert.deepEqual(throughText(message), message);
    }
  });
}

test('deaths and what parks a message come back with the route they went', () => {
  const message = messageWith({
    deaths: [DEATH, { ...DEATH, queue: 'other', route: ROUTE }],
    parked: { queue: 'orders', reason: 'max-retries', route: ROUTE },
  });
  assert.deepEqual(throughText(message), message);
});

test('a message with two bodies is refused, and one without', () => {
  const line = { kind: 'message', queue: 'orders', id: '0'.repeat(32), bytes: 0, timestamp: 1 };
  assert.throws(() => parseLine({ ...line, base64: '', amqp: '' }), /exactly one of .*amqp/);
  assert.throws(() => parseLine(line), /exactly one of/);
});

test('an export of an older version of the format is read', () => {
  const header = { kind: 'header', format: 'wherry-export', id: 'e', exportedAt: 1 };
  assert.equal(parseHeader({ ...header, version: 1 }).id, 'e');
  assert.throws(() => parseHeader({ ...header, version: 3 }), /knows versions up to 2/);
});
