import type { NewMessage } from 'wherry';
import { type AmqpMessageOptions, type Headers, allocateContent, newAmqpMessage } from 'wherry';
import type { MethodArguments } from '../../../protocols/amqp/methods.ts';

/** What the properties of a publish say about where it goes and how it is stored. */
export interface Direction {
  /** As they are stored. */
  readonly properties: Uint8Array;
  /** Of the publish, and of its CC and BCC headers. */
  readonly routingKeys: readonly string[];
  /** What headers exchanges look at. */
  readonly headers: Headers | null;
  readonly options: AmqpMessageOptions;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** A publish whose body is coming: each frame is copied to where it will be stored. */
export class ContentAssembly {
  readonly args: MethodArguments['basic.publish'];
  /** Set by the header. */
  direction: Direction | null = null;
  #body = NOTHING;
  #at = 0;
  #payloadAt = 0;

  constructor(args: MethodArguments['basic.publish']) {
    this.args = args;
  }

  /** @param size of the payload, which the connection has held against the limit */
  begin(direction: Direction, size: number): void {
    const { exchange, routingKey } = this.args;
    const room = allocateContent(exchange, routingKey, direction.properties, size);
    this.direction = direction;
    this.#body = room.body;
    this.#payloadAt = room.payloadAt;
    this.#at = room.payloadAt;
  }

  /** @param frame no longer than what is missing, which the connection sees to */
  add(frame: Buffer): void {
    this.#body.set(frame, this.#at);
    this.#at += frame.length;
  }

  get isComplete(): boolean {
    return this.#at === this.#body.length;
  }

  get payload(): Buffer {
    return this.#body.subarray(this.#payloadAt);
  }

  /** What is to be stored. */
  message(): NewMessage {
    return newAmqpMessage(this.#body, this.#payloadAt, this.direction!.options);
  }
}
