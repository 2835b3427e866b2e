import { type Channel, type ChannelModel, connect } from 'amqplib';
import { InvalidRunError } from '../harness/delivery-check.ts';
import type { ServerAddress } from './servers.ts';

/** Declares what a run needs on a server, and counts what is there. */
export class Control {
  readonly #connection: ChannelModel;
  readonly #channel: Channel;
  /** What RabbitMQ calls the type of the queues; none on other servers. */
  readonly #type: string | undefined;

  private constructor(connection: ChannelModel, channel: Channel, { name }: ServerAddress) {
    this.#connection = connection;
    this.#channel = channel;
    this.#type = name === 'classic' || name === 'quorum' ? name : undefined;
  }

  static async open(server: ServerAddress): Promise<Control> {
    const connection = await connect(server.url);
    return new Control(connection, await connection.createChannel(), server);
  }

  /** A durable queue. */
  async declareQueue(queue: string): Promise<void> {
    const type = this.#type !== undefined && { arguments: { 'x-queue-type': this.#type } };
    await this.#channel.assertQueue(queue, { durable: true, ...type });
  }

  /** A fanout exchange that leads to all of the queues. */
  async declareFanout(exchange: string, queues: readonly string[]): Promise<void> {
    await this.#channel.assertExchange(exchange, 'fanout', { durable: true });
    for (const queue of queues) {
      await this.declareQueue(queue);
      await this.#channel.bindQueue(queue, exchange, '');
    }
  }

  /** @throws InvalidRunError unless so many messages wait in the queue soon */
  async expectWaiting(queue: string, count: number): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { messageCount } = await this.#channel.checkQueue(queue);
      if (messageCount === count) return;
      if (performance.now() > deadline) {
        throw new InvalidRunError(`${messageCount} messages wait in '${queue}', not ${count}.`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.#channel.deleteQueue(queue);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

/** A quorum queue counts what it has a little later. */
const PATIENCE_MS = 10_000;
const LOOK_AGAIN_MS = 20;
