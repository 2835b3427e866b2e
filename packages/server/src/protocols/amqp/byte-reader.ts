import { isUtf8 } from 'node:buffer';
import { AmqpSyntaxError } from './errors.ts';

const REPLACEMENT = '\ufffd';

/** @returns the same bytes as a Buffer, not copied */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @throws AmqpSyntaxError what `what` says is not UTF-8 */
function readText(bytes: Buffer, start: number, end: number, what: string): string {
  const text = bytes.toString('utf8', start, end);
  // The replacement character stands for what is no UTF-8, or for itself.
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) {
    throw new AmqpSyntaxError(`${what} is not UTF-8`);
  }
  return text;
}

/**
 * Reads the values of which methods, tables and properties consist, one after the other. Every
 * length is compared with what is left before anything is made of it.
 */
export class ByteReader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** @returns where the next `length` bytes begin; goes behind them */
  skip(length: number): number {
    const start = this.at;
    if (length > this.end - start) {
      throw new AmqpSyntaxError(`a value takes ${length} bytes, and ${this.left} are left`);
    }
    this.at = start + length;
    return start;
  }

  octet(): number {
    return this.bytes[this.skip(1)]!;
  }

  short(): number {
    return this.bytes.readUInt16BE(this.skip(2));
  }

  long(): number {
    return this.bytes.readUInt32BE(this.skip(4));
  }

  /** @throws AmqpSyntaxError the number is above 2^53 - 1 */
  longlong(): number {
    const value = this.long() * 2 ** 32 + this.long();
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new AmqpSyntaxError(`a number of 64 bits is above ${Number.MAX_SAFE_INTEGER}`);
    }
    return value;
  }

  /** Whole seconds. A number above 2^53 becomes the nearest one that a double holds. */
  timestamp(): number {
    return this.long() * 2 ** 32 + this.long();
  }

  shortstr(): string {
    const length = this.octet();
    const start = this.skip(length);
    return readText(this.bytes, start, start + length, 'a short string');
  }

  /** A short string, whatever its bytes are. @returns a view, not a copy */
  shortBytes(): Buffer {
    const length = this.octet();
    const start = this.skip(length);
    return this.bytes.subarray(start, start + length);
  }

  /** @returns a view, not a copy */
  longstr(): Buffer {
    const length = this.long();
    const start = this.skip(length);
    return this.bytes.subarray(start, start + length);
  }

  /** @throws AmqpSyntaxError bytes are left */
  finish(): void {
    if (this.at !== this.end) {
      throw new AmqpSyntaxError(`${this.left} bytes are left behind the last value`);
    }
  }
}
