import type { Message } from './message.ts';
import type { BatchOptions, MessageSender, SendOptions, SendResult } from './message-sender.ts';

/** Sends to one queue, under a name of its own. */
export class Producer<Input = unknown> {
  readonly id: string;
  readonly name: string;
  readonly queueName: string;
  readonly createdAt: Date;
  readonly #sender: MessageSender;

  constructor(
    config: { readonly id: string; readonly name: string; readonly queueName: string },
    sender: MessageSender,
    createdAt: number,
  ) {
    this.id = config.id;
    this.name = config.name;
    this.queueName = config.queueName;
    this.createdAt = new Date(createdAt);
    this.#sender = sender;
  }

  /** As `MessageQueueSystem.sendMessage`, to this producer's queue. */
  sendMessage(message: Message<Input>, options?: SendOptions): Promise<string> {
    return this.#sender.sendMessage(this.queueName, message, options);
  }

  /** As `MessageQueueSystem.sendBatch`, to this producer's queue. */
  sendBatch(messages: readonly Message<Input>[], options?: BatchOptions): Promise<SendResult[]> {
    return this.#sender.sendBatch(this.queueName, messages, options);
  }
}
