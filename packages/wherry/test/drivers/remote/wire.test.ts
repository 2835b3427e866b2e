import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NewMessage, QueueRef, StoredMessage } from '../../../src/core/driver.ts';
import { Reader, WireError, Writer } from '../../../src/drivers/remote/wire/bytes.ts';
import { CALLS } from '../../../src/drivers/remote/wire/calls.ts';
import type { Codec } from '../../../src/drivers/remote/wire/codec.ts';
import { FrameStream } from '../../../src/drivers/remote/wire/frame-stream.ts';
import { frameOf, hello, readWhole, welcome } from '../../../src/drivers/remote/wire/frames.ts';
import { news } from '../../../src/drivers/remote/wire/messages.ts';
import { topologyChange } from '../../../src/drivers/remote/wire/outcomes.ts';

function roundTrip<T>(codec: Codec<T>, value: T): T {
  const out = new Writer();
  codec.write(out, value);
  return readWhole(new Reader(out.take()), codec);
}

/** Any text, half surrogate pairs too. */
const text = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) });
const amount = fc.oneof(fc.double({ min: 0, noNaN: true }), fc.constant(Infinity), fc.nat());
const rate = fc.option(fc.record({ max: amount, per: amount }));

function queueWith(evictTo: fc.Arbitrary<QueueRef | null>): fc.Arbitrary<QueueRef> {
  return fc.record({
    name: text,
    number: fc.maxSafeNat(),
    maxSize: amount,
    maxBytes: amount,
    boundOn: fc.constantFrom('stored', 'waiting'),
    overflow: fc.constantFrom('reject', 'drop-oldest'),
    evictTo,
    messageTtl: fc.option(amount),
    maxPriority: fc.nat(255),
    deduplicationWindow: amount,
    maxInFlight: amount,
    groupMaxInFlight: amount,
    rateLimit: rate,
    groupRateLimit: rate,
    partitions: fc.nat(),
    durable: fc.boolean(),
  });
}

const queue = queueWith(fc.option(queueWith(fc.constant(null))));
const properties = fc.option(
  fc.record({ headers: fc.dictionary(fc.string(), fc.string()) }, { requiredKeys: [] }),
);
const death = fc.record({
  queue: fc.string(),
  reason: fc.constant('rejected'),
  error: fc.string(),
});

const content = {
  bytes: fc.nat(),
  properties,
  priority: fc.nat(255),
  groupId: fc.option(text),
  deduplicationId: fc.option(text),
};
const payload = fc.oneof(
  fc.record({ encoding: fc.constantFrom('json', 'text'), body: text }),
  fc.record({ encoding: fc.constantFrom('bytes', 'amqp'), body: fc.uint8Array() }),
);

const message = fc
  .tuple(
    payload,
    fc.record({ ...content, delay: amount, deliverAt: fc.option(fc.integer()) }),
    fc.record({ ttl: fc.option(amount) }),
    fc.record(
      {
        id: text,
        deduplicationWindow: amount,
        keepLast: fc.boolean(),
        fence: fc.record({ key: text, value: fc.nat() }),
        deaths: fc.array(fc.record({ queue: fc.string(), count: fc.nat() })),
      },
      { requiredKeys: [] },
    ),
  )
  .map((parts) => Object.assign({}, ...parts) as NewMessage);

const stored = fc
  .tuple(
    payload,
    fc.record({
      ...content,
      id: text,
      publishId: text,
      queueName: text,
      sequence: fc.maxSafeNat(),
      timestamp: fc.nat(),
      availableAt: fc.nat(),
      expiresAt: fc.option(fc.nat()),
      retryCount: fc.nat(),
      deliveryCount: fc.nat(),
      deaths: fc.array(fc.record({ queue: fc.string(), count: fc.nat() })),
      parked: fc.option(death),
      state: fc.constantFrom('ready', 'scheduled', 'leased'),
      lease: fc.option(
        fc.record({ consumerId: text, token: fc.maxSafeInteger(), until: fc.integer() }),
      ),
    }),
    fc.record({ damaged: fc.boolean() }, { requiredKeys: [] }),
  )
  .map((parts) => Object.assign({}, ...parts) as unknown as StoredMessage);

test('what a call is given and answers comes over as it is', () => {
  const items = fc.array(fc.record({ targets: fc.array(queue), message }));
  fc.assert(
    fc.property(items, fc.boolean(), (list, atomic) => {
      const request = { items: list, atomic };
      // Of a record that fast-check made without a prototype, only what it holds counts.
      assert.deepEqual(plain(roundTrip(CALLS.publish.request, request)), plain(request));
    }),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.array(stored), (messages) => {
      const page = { messages, cursor: null };
      assert.deepEqual(plain(roundTrip(CALLS.browse.answer, page)), plain(page));
    }),
    { numRuns: 200 },
  );
  const receipt = fc.record({ queue, id: text, token: fc.maxSafeInteger() });
  const releases = fc.array(
    fc
      .tuple(
        fc.record({ receipt, delay: amount, as: fc.constantFrom('retry', 'requeue', 'unstarted') }),
        fc.record({ suspect: fc.boolean(), parked: fc.option(death) }, { requiredKeys: [] }),
      )
      .map((parts) => Object.assign({}, ...parts)),
  );
  fc.assert(
    fc.property(releases, (list) => {
      assert.deepEqual(plain(roundTrip(CALLS.release.request, list)), plain(list));
    }),
  );
});

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.map(([key, one]) => [key, plain(one)]));
}

test('a stored text whose record is damaged comes over as the bytes that it is', () => {
  const [sample] = fc.sample(stored, { numRuns: 1, seed: 1 });
  const body = new Uint8Array([1, 2]);
  const damaged = { ...sample!, damaged: undefined, encoding: 'text' as const, body };
  assert.deepEqual(plain(roundTrip(CALLS.get.answer, damaged)), plain(damaged));
});

test('a stream is cut into its frames wherever its pieces are cut', () => {
  const frames = fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 300 })));
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 })), (list, cuts) => {
      const bytes = Buffer.concat(
        list.map(([type, body]) =>
          frameOf(type, { write: (out) => out.bytes(body), read: () => undefined }, undefined),
        ),
      );
      const stream = new FrameStream(1_000);
      const got: [number, Uint8Array][] = [];
      let at = 0;
      const pushUpTo = (end: number): void => {
        stream.push(bytes.subarray(at, end), (type, body) => {
          got.push([type, new Reader(body).bytes()]);
        });
        at = end;
      };
      for (const cut of cuts) pushUpTo(Math.min(bytes.length, at + cut));
      pushUpTo(bytes.length);
      assert.deepEqual(got, list);
    }),
  );
});

test('bytes that are no frame of ours are an error, and nothing worse', () => {
  const codecs = [
    ...Object.values(CALLS).flatMap(({ request, answer }) => [request, answer]),
    hello,
    welcome,
    news,
    topologyChange,
  ] as Codec<unknown>[];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(codecs.length - 1), (bytes, which) => {
      try {
        readWhole(new Reader(bytes), codecs[which]!);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 5_000 },
  );
});

test('a frame with one byte changed is read, or is an error, and nothing worse', () => {
  const items = fc.array(fc.record({ targets: fc.array(queue), message }), { minLength: 1 });
  fc.assert(
    fc.property(items, fc.nat(), fc.nat(255), (list, at, byte) => {
      const out = new Writer();
      CALLS.publish.request.write(out, { items: list, atomic: false });
      const frame = out.take();
      frame[at % frame.length] = byte;
      try {
        readWhole(new Reader(frame), CALLS.publish.request);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a frame that says that it is longer than allowed is refused before it has come', () => {
  const stream = new FrameStream(1_000);
  const header = Buffer.from([0, 0, 3, 233, 4]);
  assert.throws(() => stream.push(header, () => undefined), WireError);
});
