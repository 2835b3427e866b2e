import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameDecoder } from '../../../src/protocols/amqp/frames.ts';
import { FrameWriter } from '../../../src/protocols/amqp/frame-writer.ts';
import { decodeMethod } from '../../../src/protocols/amqp/methods.ts';
import { Confirms } from '../../../src/servers/amqp/messages/confirms.ts';
import type { ChannelHost } from '../../../src/servers/amqp/contracts.ts';
import { AmqpTraffic } from '../../../src/telemetry/amqp-traffic.ts';

/** What a client that has published so much makes of the answers. */
class Ledger {
  readonly writer = new FrameWriter();
  readonly answers = new Map<number, 'basic.ack' | 'basic.nack'>();
  readonly #open = new Set<number>();

  published(tag: number): void {
    this.#open.add(tag);
  }

  /** @returns in how many frames they came */
  read(): number {
    const decoder = new FrameDecoder(1 << 20);
    decoder.push(this.writer.take());
    let frames = 0;
    for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
      frames++;
      const { name, args } = decodeMethod(frame.payload);
      assert.ok(name === 'basic.ack' || name === 'basic.nack');
      const { deliveryTag, multiple } = args;
      const tags = multiple ? [...this.#open].filter((tag) => tag <= deliveryTag) : [deliveryTag];
      for (const tag of tags) {
        assert.ok(this.#open.delete(tag), `tag ${tag} is answered, and was not open`);
        this.answers.set(tag, name);
      }
    }
    return frames;
  }
}

function begin(): { readonly confirms: Confirms; readonly ledger: Ledger } {
  const ledger = new Ledger();
  const broker = { traffic: new AmqpTraffic() };
  const host = { broker, writer: ledger.writer, flush: () => {} } as unknown as ChannelHost;
  return { confirms: new Confirms(1, host), ledger };
}

/** The end of what ran in one go. */
const turn = (): Promise<void> => new Promise((resolve) => queueMicrotask(resolve));

test('whatever the order in which they end, each publish has its one answer', async () => {
  const history = fc.array(
    fc.oneof(
      fc.record({ act: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ act: fc.constant('end' as const), at: fc.nat(), isStored: fc.boolean() }),
      fc.record({ act: fc.constant('turn' as const) }),
    ),
    { maxLength: 200 },
  );
  await fc.assert(
    fc.asyncProperty(history, async (acts) => {
      const { confirms, ledger } = begin();
      const open: number[] = [];
      const expected = new Map<number, string>();
      const end = (at: number, isStored: boolean): void => {
        const [tag] = open.splice(at, 1);
        expected.set(tag!, isStored ? 'basic.ack' : 'basic.nack');
        confirms.end(tag!, isStored);
      };
      for (const step of acts) {
        if (step.act === 'turn') {
          await turn();
          ledger.read();
        } else if (step.act === 'end') {
          if (open.length > 0) end(step.at % open.length, step.isStored);
        } else {
          for (let i = 0; i < step.count; i++) {
            const tag = confirms.begin();
            ledger.published(tag);
            open.push(tag);
          }
        }
      }
      while (open.length > 0) end(0, true);
      await turn();
      ledger.read();
      assert.deepEqual(ledger.answers, expected);
      assert.equal(confirms.size, 0);
    }),
    { numRuns: 100 },
  );
});

test('what ends together in order is answered in one frame', async () => {
  const { confirms, ledger } = begin();
  for (let i = 0; i < 1_000; i++) ledger.published(confirms.begin());
  for (let tag = 1; tag <= 500; tag++) confirms.end(tag, true);
  await turn();
  assert.equal(ledger.read(), 1);
  assert.equal(ledger.answers.size, 500);
  // One of them is late: those before it go together, those behind it by themselves.
  for (let tag = 501; tag <= 510; tag++) if (tag !== 506) confirms.end(tag, true);
  await turn();
  assert.equal(ledger.read(), 1 + 4);
  assert.equal(confirms.size, 495);
});
