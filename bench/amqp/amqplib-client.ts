import { type ChannelModel, type ConfirmChannel, connect, type ConsumeMessage } from 'amqplib';
import { InvalidRunError } from '../harness/delivery-check.ts';
import { inLanes } from '../workloads/lanes.ts';
import {
  type AmqpClient,
  bodyOf,
  type Consumption,
  numberIn,
  type Numbered,
  type Received,
  type Target,
} from './client.ts';

/** amqplib, as its manual says. */
class AmqplibClient implements AmqpClient {
  readonly #connection: ChannelModel;
  readonly #channel: ConfirmChannel;

  constructor(connection: ChannelModel, channel: ConfirmChannel) {
    this.#connection = connection;
    this.#channel = channel;
  }

  publish(to: Target, { first, count, bytes }: Numbered, outstanding: number): Promise<void> {
    return inLanes(count, outstanding, (index) => this.send(to, first + index, bytes));
  }

  send({ exchange, routingKey }: Target, number: number, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const confirmed = (error: unknown): void => {
        if (error === null) resolve();
        else reject(new InvalidRunError(`Message ${number} was refused.`));
      };
      const body = bodyOf(number, bytes);
      this.#channel.publish(exchange, routingKey, body, { persistent: true }, confirmed);
    });
  }

  async consume(queue: string, prefetch: number, received: Received): Promise<Consumption> {
    const channel = await this.#connection.createChannel();
    await channel.prefetch(prefetch);
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) throw new InvalidRunError(`The server cancelled a consumer.`);
      if (received(numberIn(message.content))) channel.ack(message);
    };
    const { consumerTag } = await channel.consume(queue, take);
    return {
      end: async () => {
        await channel.cancel(consumerTag);
        await channel.close();
      },
    };
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}

export async function openAmqplib(url: string): Promise<AmqpClient> {
  const connection = await connect(url);
  return new AmqplibClient(connection, await connection.createConfirmChannel());
}
