import type { Delivery } from './delivery.ts';
import { type Limits, utf8Length } from './limits.ts';
import type { Headers, Message } from './message.ts';

/** A send that is about to happen. */
export interface SendDescription {
  /** The queue, or the exchange. */
  readonly destination: string;
  readonly messages: readonly Message[];
  readonly routingKey?: string;
}

/** How a send came out. */
export interface SendOutcome {
  /** Of a single message that was stored. */
  readonly id?: string | null;
  /** The first error's code, when a message of a batch was refused. */
  readonly refused?: string | undefined;
}

/** A handler that is about to run. */
export interface ProcessDescription {
  readonly queueName: string;
  readonly consumerId: string;
  /** One, or those of a batch. */
  readonly deliveries: readonly Delivery[];
}

/**
 * Follows messages from their sender to their handler, across processes. Core knows no more of it
 * than when to ask; a system that is not traced has none, and pays nothing.
 */
export interface Tracing {
  /**
   * @param work sends, with the headers that carry the trace to whoever handles the messages
   * @param outcomeOf told what `work` answered
   */
  send<Result>(
    about: SendDescription,
    work: (carrier: Headers) => Promise<Result>,
    outcomeOf: (result: Result) => SendOutcome,
  ): Promise<Result>;

  /** Runs a handler within the trace of what it handles. @returns what the handler returned */
  process(about: ProcessDescription, handle: () => unknown): unknown;
}

/**
 * @returns the message with the carrier among its headers; as it is where they would come near the
 *   limits: no send fails because it is traced
 */
export function carry<Input>(
  message: Message<Input>,
  carrier: Headers,
  limits: Limits,
): Message<Input> {
  const given = (message as Message | null | undefined)?.headers ?? {};
  if (typeof message !== 'object' || message === null || typeof given !== 'object') return message;
  const headers = { ...given, ...carrier };
  const fits =
    Object.keys(headers).length <= limits.headerCount &&
    utf8Length(JSON.stringify(headers)) <= limits.headerBytes / 2;
  return fits ? { ...message, headers } : message;
}
