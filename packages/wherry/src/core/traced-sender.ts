import type { MessageQueueError } from './errors.ts';
import {
  type BatchOptions,
  MessageSender,
  type PublishRequest,
  type PublishResult,
  type SendOptions,
  type SendResult,
  type SenderParts,
} from './message-sender.ts';
import type { Message } from './message.ts';
import { type QueueLike, queueNameOf } from './queue.ts';
import { type SendDescription, type SendOutcome, type Tracing, carry } from './tracing.ts';

/** Sends within a trace, which the messages carry on. */
export class TracedSender extends MessageSender {
  readonly #parts: SenderParts;
  readonly #tracing: Tracing;

  constructor(parts: SenderParts, tracing: Tracing) {
    super(parts);
    this.#parts = parts;
    this.#tracing = tracing;
  }

  override sendMessage<Input>(
    queue: QueueLike<unknown, Input>,
    message: Message<Input>,
    options?: SendOptions,
  ): Promise<string> {
    return this.#tracing.send(
      { destination: queueNameOf(queue), messages: [message] },
      (carrier) => super.sendMessage(queue, carry(message, carrier, this.#parts.limits), options),
      (id) => ({ id }),
    );
  }

  override async sendBatch<Input>(
    queue: QueueLike<unknown, Input>,
    messages: readonly Message<Input>[],
    options?: BatchOptions,
  ): Promise<SendResult[]> {
    // What is no batch is refused without a span.
    if (!Array.isArray(messages)) return super.sendBatch(queue, messages, options);
    return this.#tracing.send(
      { destination: queueNameOf(queue), messages },
      (carrier) => {
        const carrying = messages.map((message: Message<Input>) =>
          carry(message, carrier, this.#parts.limits),
        );
        return super.sendBatch(queue, carrying, options);
      },
      refusedIn,
    );
  }

  override publish(request: PublishRequest, options?: SendOptions): Promise<PublishResult> {
    return this.#tracing.send(
      describe([request]),
      (carrier) => {
        const message = carry(request.message, carrier, this.#parts.limits);
        return super.publish({ ...request, message }, options);
      },
      ({ id }) => ({ id }),
    );
  }

  override async publishBatch(
    requests: readonly PublishRequest[],
    options?: SendOptions,
  ): ReturnType<MessageSender['publishBatch']> {
    if (!Array.isArray(requests)) return super.publishBatch(requests, options);
    return this.#tracing.send(
      describe(requests),
      (carrier) => {
        const carrying = requests.map((request: PublishRequest) => ({
          ...request,
          message: carry(request.message, carrier, this.#parts.limits),
        }));
        return super.publishBatch(carrying, options);
      },
      refusedIn,
    );
  }
}

function describe(requests: readonly PublishRequest[]): SendDescription {
  const { exchange = '', routingKey = '' } = requests[0] ?? {};
  const messages = requests.map(({ message }) => message);
  // The default exchange has no name: the key is that of the queue.
  return exchange === ''
    ? { destination: routingKey, messages }
    : { destination: exchange, messages, routingKey };
}

function refusedIn(
  results: readonly ({ ok: true } | { ok: false; error: MessageQueueError })[],
): SendOutcome {
  const refused = results.find((result) => !result.ok);
  return { refused: refused?.ok === false ? refused.error.code : undefined };
}
