import { AmqpError, AmqpSyntaxError } from '../../../protocols/amqp/errors.ts';
import { methodIds } from '../../../protocols/amqp/methods.ts';

/** Class, weight, body size and property flags. */
const HEADER_BYTES_MIN = 14;

export interface ContentLimits {
  /** Longest body. */
  readonly bodyMax: number;
  /** Counts bytes of bodies that have been announced and have not come yet, over all channels. */
  readonly announce: (bytes: number) => void;
}

/** Which frame may come next on a channel: a method's content comes right behind it, and whole. */
export class ContentOrder {
  readonly #limits: ContentLimits;
  /** The class of the method whose content header must come next; null: none. */
  #headerOf: number | null = null;
  /** Bytes of the body that have not come yet. */
  #missing = 0;
  #announced = 0;

  constructor(limits: ContentLimits) {
    this.#limits = limits;
  }

  /** @param contentClass the class of the method, if content comes behind it @throws AmqpError 505 */
  method(contentClass: number | null): void {
    if (this.#headerOf !== null) {
      throw headerMissing(this.#headerOf);
    }
    if (this.#missing > 0) throw bodyMissing();
    this.#headerOf = contentClass;
  }

  /** @throws AmqpError 505; 406 for a body that is too long; AmqpSyntaxError */
  header(payload: Buffer): void {
    if (this.#headerOf === null) {
      throw this.#missing > 0 ? bodyMissing() : methodMissing();
    }
    if (payload.length < HEADER_BYTES_MIN) {
      throw new AmqpSyntaxError(
        `a content header has ${payload.length} bytes; it needs ${HEADER_BYTES_MIN} or more`,
      );
    }
    const classId = payload.readUInt16BE(0);
    if (classId !== this.#headerOf) {
      throw new AmqpError(
        'unexpected-frame',
        `expected content header for class ${this.#headerOf}, got one for class ${classId} instead`,
      );
    }
    this.#headerOf = null;
    const size = payload.readUInt32BE(4) * 2 ** 32 + payload.readUInt32BE(8);
    const { bodyMax, announce } = this.#limits;
    if (size > bodyMax) {
      throw new AmqpError(
        'precondition-failed',
        `message size ${size} is larger than configured max size ${bodyMax}`,
      );
    }
    announce(size);
    this.#announced = size;
    this.#missing = size;
  }

  /** @throws AmqpError 505, or 501 when it is more than was announced */
  body(payload: Buffer): void {
    if (this.#headerOf !== null) {
      throw headerMissing(this.#headerOf);
    }
    if (this.#missing === 0) throw methodMissing();
    if (payload.length > this.#missing) {
      throw new AmqpError(
        'frame-error',
        `content body has ${payload.length - this.#missing} bytes more than its header says`,
      );
    }
    this.#missing -= payload.length;
    if (this.#missing === 0) this.reset();
  }

  /** Nothing is expected any more. */
  reset(): void {
    this.#headerOf = null;
    this.#missing = 0;
    this.#limits.announce(-this.#announced);
    this.#announced = 0;
  }
}

/** The method whose content is not complete. */
const PUBLISH = methodIds('basic.publish');

function headerMissing(classId: number): AmqpError {
  return new AmqpError(
    'unexpected-frame',
    `expected content header for class ${classId}, got non content header frame instead`,
    { method: PUBLISH },
  );
}

function bodyMissing(): AmqpError {
  return new AmqpError(
    'unexpected-frame',
    'expected content body, got non content body frame instead',
    { method: PUBLISH },
  );
}

function methodMissing(): AmqpError {
  return new AmqpError('unexpected-frame', 'expected method frame, got non method frame instead', {
    method: { classId: 0, methodId: 0 },
  });
}
