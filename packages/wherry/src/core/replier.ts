import { propertiesOf } from './amqp-content.ts';
import type { StoredMessage } from './driver.ts';
import { QueueNotFoundError, ValidationError } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Message, NewDeath } from './message.ts';
import { prepareMessage } from './prepare.ts';
import type { Publisher } from './publisher.ts';
import type { Topology } from './topology.ts';

/** The header of a reply that is none: what went wrong, as text. */
export const ERROR_HEADER = 'error';
/** Beside it: why the request is a dead letter. */
export const REASON_HEADER = 'reason';

export interface ReplierParts {
  readonly topology: Topology;
  readonly publisher: Publisher;
  readonly limits: Limits;
}

/**
 * Answers requests. A request is a message with a queue in `replyTo` and a `correlationId`; a reply
 * is a message to that queue with the same `correlationId`. Nothing else passes between the two.
 */
export class Replier {
  readonly #parts: ReplierParts;

  constructor(parts: ReplierParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the reply is stored, or nobody is there for it any more.
   * @throws ValidationError when the message asks for none
   * @throws SerializationError, QueueFullError, StorageError …
   */
  async reply(request: StoredMessage, payload: unknown): Promise<void> {
    if (!asksForReply(request)) {
      throw new ValidationError(
        `Message '${request.id}' asks for no reply: it has no replyTo and correlationId.`,
      );
    }
    // A handler that returns nothing has an answer all the same: that it is done.
    await this.#send(request, { payload: payload === undefined ? null : payload });
  }

  /**
   * Tells the requester, if there is one, that its request has failed for good. AMQP clients have no
   * such custom: a message that they did not expect would be taken for the answer.
   */
  async refuse(
    request: StoredMessage,
    { reason, error }: Pick<NewDeath, 'reason' | 'error'>,
  ): Promise<void> {
    if (request.encoding === 'amqp' || !asksForReply(request)) return;
    const headers = { [ERROR_HEADER]: error ?? reason, [REASON_HEADER]: reason };
    await this.#send(request, { payload: null, headers });
  }

  async #send(request: StoredMessage, message: Message): Promise<void> {
    const { replyTo = '', correlationId = '' } = propertiesOf(request) ?? {};
    const { topology, publisher, limits } = this.#parts;
    const prepared = prepareMessage({ ...message, correlationId }, limits);
    try {
      await publisher.publish({ targets: topology.targets(replyTo), message: prepared }, null);
    } catch (error) {
      // The requester is gone, and its queue with it.
      if (!(error instanceof QueueNotFoundError)) throw error;
    }
  }
}

/** Whether somebody waits for an answer. */
export function asksForReply(message: StoredMessage): boolean {
  const properties = propertiesOf(message);
  return properties?.replyTo !== undefined && properties.correlationId !== undefined;
}
