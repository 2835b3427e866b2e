/**
 * A client that costs as little as it can: frames that were made before, one write for all that a
 * chunk asks for. With it a server's own limit is seen, where other clients saturate first.
 */
import type { AmqpClient, Consumption, Numbered, Received, Target } from './client.ts';
import { LeanConnection } from './lean-connection.ts';
import { ackFrames, MessageTemplate, methodFrame } from './lean-frames.ts';

const PUBLISHING = 1;
const CONSUMING = 2;

/** Messages whose frames go into one buffer. */
const BATCH_MAX = 500;

const ack = methodFrame(CONSUMING, 'basic.ack', { deliveryTag: 0, multiple: false });

class LeanClient implements AmqpClient {
  readonly #connection: LeanConnection;
  readonly #templates = new Map<string, MessageTemplate>();
  /** Confirms that are waited for, by publish sequence numbers from `#lowest` on. */
  readonly #unconfirmed = new Map<number, () => void>();
  #published = 0;
  #lowest = 1;

  constructor(connection: LeanConnection) {
    this.#connection = connection;
    connection.listener.acknowledged = (tag, multiple) => this.#confirm(tag, multiple);
  }

  publish(to: Target, { first, count, bytes }: Numbered, outstanding: number): Promise<void> {
    const template = this.#templateOf(to, bytes);
    let sent = 0;
    let confirmed = 0;
    let credit = 0;
    let done = (): void => {};
    const onConfirm = (): void => {
      confirmed++;
      credit++;
      if (confirmed === count) done();
    };
    const fill = (): void => {
      while (credit > 0 && sent < count) {
        const batch = Math.min(credit, count - sent, BATCH_MAX);
        this.#connection.write(template.copies(first + sent, batch));
        for (let i = 0; i < batch; i++) this.#unconfirmed.set(++this.#published, onConfirm);
        sent += batch;
        credit -= batch;
      }
    };
    const finished = new Promise<void>((resolve) => (done = resolve));
    this.#connection.afterChunk = fill;
    credit = outstanding;
    fill();
    return Promise.race([finished, this.#connection.failure]);
  }

  send(to: Target, number: number, bytes: number): Promise<void> {
    this.#connection.write(this.#templateOf(to, bytes).copies(number, 1));
    const confirmed = new Promise<void>((resolve) => {
      this.#unconfirmed.set(++this.#published, resolve);
    });
    return Promise.race([confirmed, this.#connection.failure]);
  }

  async consume(queue: string, prefetch: number, received: Received): Promise<Consumption> {
    const connection = this.#connection;
    let tags: number[] = [];
    let delivered = 0;
    const { listener } = connection;
    listener.delivered = (tag) => (delivered = tag);
    listener.body = (number) => {
      if (received(number)) tags.push(delivered);
    };
    connection.afterChunk = () => {
      if (tags.length === 0) return;
      connection.write(ackFrames(ack, tags));
      tags = [];
    };
    await connection.call(CONSUMING, 'channel.open', {});
    await connection.call(CONSUMING, 'basic.qos', { prefetchCount: prefetch });
    await connection.call(CONSUMING, 'basic.consume', { queue, consumerTag: 'lean' });
    return {
      end: async () => {
        await connection.call(CONSUMING, 'basic.cancel', { consumerTag: 'lean' });
        const args = { replyCode: 200, replyText: 'bye' };
        await connection.call(CONSUMING, 'channel.close', args);
      },
    };
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #templateOf(to: Target, bytes: number): MessageTemplate {
    const key = JSON.stringify([to, bytes]);
    let template = this.#templates.get(key);
    if (template === undefined) {
      template = MessageTemplate.published(PUBLISHING, to, bytes);
      this.#templates.set(key, template);
    }
    return template;
  }

  #confirm(tag: number, multiple: boolean): void {
    if (multiple) {
      for (; this.#lowest <= tag; this.#lowest++) this.#confirmOne(this.#lowest);
    } else {
      this.#confirmOne(tag);
      if (tag === this.#lowest) this.#lowest++;
    }
  }

  #confirmOne(tag: number): void {
    const onConfirm = this.#unconfirmed.get(tag);
    if (onConfirm === undefined) return;
    this.#unconfirmed.delete(tag);
    onConfirm();
  }
}

export async function openLean(url: string): Promise<AmqpClient> {
  const connection = await LeanConnection.open(url);
  await connection.call(PUBLISHING, 'channel.open', {});
  await connection.call(PUBLISHING, 'confirm.select', {});
  return new LeanClient(connection);
}
