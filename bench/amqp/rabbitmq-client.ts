import { Connection, ConsumerStatus, type Publisher } from 'rabbitmq-client';
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

/** rabbitmq-client, as its manual says. */
class RabbitmqClient implements AmqpClient {
  readonly #connection: Connection;
  readonly #publisher: Publisher;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#publisher = connection.createPublisher({ confirm: true });
  }

  publish(to: Target, { first, count, bytes }: Numbered, outstanding: number): Promise<void> {
    return inLanes(count, outstanding, (index) => this.send(to, first + index, bytes));
  }

  send({ exchange, routingKey }: Target, number: number, bytes: number): Promise<void> {
    const envelope = { exchange, routingKey, durable: true };
    return this.#publisher.send(envelope, bodyOf(number, bytes));
  }

  async consume(queue: string, prefetch: number, received: Received): Promise<Consumption> {
    const consumer = this.#connection.createConsumer(
      { queue, queueOptions: { passive: true }, qos: { prefetchCount: prefetch } },
      ({ body }) =>
        received(numberIn(body as Buffer)) ? ConsumerStatus.ACK : ConsumerStatus.REQUEUE,
    );
    await new Promise<void>((resolve, reject) => {
      consumer.once('ready', resolve).once('error', reject);
    });
    return { end: () => consumer.close() };
  }

  async close(): Promise<void> {
    await this.#publisher.close();
    await this.#connection.close();
  }
}

export async function openRabbitmqClient(url: string): Promise<AmqpClient> {
  const connection = new Connection(url);
  await connection.onConnect();
  return new RabbitmqClient(connection);
}
