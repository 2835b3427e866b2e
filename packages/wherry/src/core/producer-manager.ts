import type { Clock } from './clock.ts';
import { ProducerNotFoundError, ValidationError } from './errors.ts';
import { checkFields, checkName } from './limits.ts';
import type { Message } from './message.ts';
import type { BatchOptions, MessageSender, SendOptions, SendResult } from './message-sender.ts';
import { Producer } from './producer.ts';
import { type QueueLike, queueNameOf } from './queue.ts';
import type { Topology } from './topology.ts';

/** What `createProducer` takes. */
export interface ProducerConfig<Input = unknown> {
  /** Unique in this system. */
  readonly id: string;
  /** For people; the id when left out. */
  readonly name?: string;
  readonly queueName: QueueLike<unknown, Input>;
}

/** Creates and finds producers. */
export class ProducerManager {
  readonly #producers = new Map<string, Producer<never>>();
  readonly #topology: Topology;
  readonly #sender: MessageSender;
  readonly #clock: Clock;

  constructor(topology: Topology, sender: MessageSender, clock: Clock) {
    this.#topology = topology;
    this.#sender = sender;
    this.#clock = clock;
  }

  /** Creates what the configuration names. */
  async initialize(configs: readonly ProducerConfig<never>[]): Promise<void> {
    for (const config of configs) await this.createProducer(config);
  }

  /** @throws ValidationError when the id is wrong or taken @throws QueueNotFoundError */
  async createProducer<Input = unknown>(config: ProducerConfig<Input>): Promise<Producer<Input>> {
    checkFields(config, ['id', 'name', 'queueName'], 'A producer');
    const id = checkName(config.id, 'The producer id');
    if (this.#producers.has(id)) {
      throw new ValidationError(`Producer '${id}' exists. Take another id, or remove it first.`);
    }
    const queueName = this.#topology.queue(queueNameOf(config.queueName)).name;
    const name = config.name ?? id;
    const producer = new Producer<Input>({ id, name, queueName }, this.#sender, this.#clock.now());
    this.#producers.set(id, producer);
    return producer;
  }

  /** @throws ProducerNotFoundError */
  getProducer(id: string): Producer<never> {
    const producer = this.#producers.get(id);
    if (producer === undefined) throw new ProducerNotFoundError(id);
    return producer;
  }

  listProducers(): Producer<never>[] {
    return [...this.#producers.values()];
  }

  /** @throws ProducerNotFoundError */
  removeProducer(id: string): void {
    if (!this.#producers.delete(id)) throw new ProducerNotFoundError(id);
  }

  /** Sends through a producer. @throws ProducerNotFoundError */
  async sendMessage(producerId: string, message: Message, options?: SendOptions): Promise<string> {
    return this.getProducer(producerId).sendMessage(message as Message<never>, options);
  }

  /** Sends several through a producer. @throws ProducerNotFoundError */
  async sendBatch(
    producerId: string,
    messages: readonly Message[],
    options?: BatchOptions,
  ): Promise<SendResult[]> {
    return this.getProducer(producerId).sendBatch(messages as Message<never>[], options);
  }
}
