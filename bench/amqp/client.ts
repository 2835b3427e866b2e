/** A client of AMQP as a benchmark uses it: each does the same work, in its own way. */

/** Where messages go: a queue by its name through the default exchange `''`, or an exchange. */
export interface Target {
  readonly exchange: string;
  readonly routingKey: string;
}

/** Numbered messages, each in the first four bytes of its body. */
export interface Numbered {
  /** The lowest number. */
  readonly first: number;
  readonly count: number;
  /** Of each body. */
  readonly bytes: number;
}

/** One connection to a server. */
export interface AmqpClient {
  /**
   * Publishes persistent messages, so many of which are unconfirmed all the time; ends when the
   * server has confirmed them all.
   * @throws InvalidRunError when one is refused
   */
  publish(to: Target, messages: Numbered, outstanding: number): Promise<void>;
  /** Publishes one message. Resolves when it is confirmed. */
  send(to: Target, number: number, bytes: number): Promise<void>;
  /** Consumes, and acknowledges each message by itself if `received` answers its number with true. */
  consume(queue: string, prefetch: number, received: Received): Promise<Consumption>;
  close(): Promise<void>;
}

export type Received = (number: number) => boolean;

export interface Consumption {
  /** Ends it when the server has read all acknowledgements. */
  end(): Promise<void>;
}

export type OpenClient = (url: string) => Promise<AmqpClient>;

const filler = Buffer.alloc(64 * 1_024, 'wherry ');

/** @returns a new body that holds the number */
export function bodyOf(number: number, bytes: number): Buffer {
  const body = Buffer.allocUnsafe(bytes);
  filler.copy(body, 0, 0, bytes);
  body.writeUInt32BE(number, 0);
  return body;
}

/** @returns the number that a body holds */
export function numberIn(body: Buffer): number {
  return body.readUInt32BE(0);
}

/** @returns where a message goes that is meant for one queue */
export function toQueue(queue: string): Target {
  return { exchange: '', routingKey: queue };
}
