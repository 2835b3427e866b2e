import { parseProtocolHeader, PROTOCOL_HEADER } from '../../../protocols/amqp/frames.ts';

/** What a client has said first. */
export interface Greeted {
  /** It speaks AMQP 0-9-1. */
  readonly isUnderstood: boolean;
  /** What came behind the protocol header. */
  readonly rest: Buffer;
}

/** The first bytes of a connection, which need not come together. */
export class Greeting {
  #head: Buffer = Buffer.alloc(0);

  /** @returns null until all have come */
  read(chunk: Buffer): Greeted | null {
    const head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = head;
    const { length } = PROTOCOL_HEADER;
    if (head.length < length) return null;
    const isUnderstood = parseProtocolHeader(head.subarray(0, length));
    return { isUnderstood, rest: head.subarray(length) };
  }
}
