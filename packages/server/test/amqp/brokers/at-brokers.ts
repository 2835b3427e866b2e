import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  type Options,
  connect,
} from 'amqplib';

/** A broker without a sign of life for so long is dead: in these tests. */
export const BROKER_TIMEOUT_MS = 3_000;

interface At {
  readonly amqpPort: number | null;
}

/** A connection that ends with the test, whatever becomes of its broker. */
export async function connected(t: TestContext, { amqpPort }: At): Promise<ChannelModel> {
  const connection = await connect(`amqp://127.0.0.1:${amqpPort}`);
  connection.on('error', () => {});
  t.after(async () => connection.close().catch(() => {}));
  return connection;
}

export async function channelAt(t: TestContext, broker: At): Promise<ConfirmChannel> {
  const channel = await (await connected(t, broker)).createConfirmChannel();
  // Whoever expects it to be closed sees it in what was called.
  channel.on('error', () => {});
  return channel;
}

/** A channel of its own for a call that is refused, and closes it. */
export async function refused(
  t: TestContext,
  broker: At,
  call: (channel: Channel) => Promise<unknown>,
  message: RegExp,
): Promise<void> {
  await assert.rejects(call(await channelAt(t, broker)), message);
}

/** What a consumer has got. */
export class Received {
  readonly messages: ConsumeMessage[] = [];
  tag = '';
  /** The broker has cancelled it. */
  isCancelled = false;

  static async from(
    channel: Channel,
    queue: string,
    { ack = true, ...options }: Options.Consume & { readonly ack?: boolean } = {},
  ): Promise<Received> {
    const received = new Received();
    const { consumerTag } = await channel.consume(
      queue,
      (message) => {
        if (message === null) {
          received.isCancelled = true;
          return;
        }
        received.messages.push(message);
        if (ack) channel.ack(message);
      },
      options,
    );
    received.tag = consumerTag;
    return received;
  }

  get texts(): string[] {
    return this.messages.map(({ content }) => content.toString());
  }
}

export async function send(channel: ConfirmChannel, queue: string, text: string): Promise<void> {
  channel.sendToQueue(queue, Buffer.from(text), { persistent: true });
  await channel.waitForConfirms();
}

/** Looks until it is so. @returns after how many milliseconds it was */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  ms = 10_000,
): Promise<number> {
  const begun = performance.now();
  while (!(await isSo())) {
    assert.ok(performance.now() - begun < ms, `not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - begun;
}

/** Whether a call on a channel of its own is refused with 404. */
export async function isGone(t: TestContext, broker: At, queue: string): Promise<boolean> {
  const channel = await channelAt(t, broker);
  try {
    await channel.checkQueue(queue);
    await channel.close();
    return false;
  } catch (error) {
    assert.match(String(error), /404/);
    return true;
  }
}
