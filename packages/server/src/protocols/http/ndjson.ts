import { TooLargeError } from './errors.ts';

export const NDJSON_TYPE = 'application/x-ndjson';

const NEWLINE = 0x0a;

/** Splits bytes as they come into lines, of which it keeps no more than the last, unfinished one. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #parts: Buffer[] = [];
  #kept = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Bytes of the line that has not ended. */
  get kept(): number {
    return this.#kept;
  }

  /**
   * @returns the lines that end in this chunk, without their ends; empty lines are left out
   * @throws TooLargeError when a line does not end in time
   */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let begin = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, begin);
      if (end < 0) break;
      this.#keep(chunk.subarray(begin, end));
      this.#take(lines);
      begin = end + 1;
    }
    if (begin < chunk.length) this.#keep(chunk.subarray(begin));
    return lines;
  }

  /** @returns the last line, if it had no end */
  finish(): Buffer[] {
    const lines: Buffer[] = [];
    this.#take(lines);
    return lines;
  }

  #keep(part: Buffer): void {
    if (this.#kept + part.length > this.#lineBytesMax) {
      const remedy = 'Send a reference to where the data is, or raise limits.bodyBytes.';
      throw new TooLargeError('A line', this.#lineBytesMax, remedy);
    }
    this.#parts.push(part);
    this.#kept += part.length;
  }

  #take(lines: Buffer[]): void {
    const line = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#kept = 0;
    if (!isBlank(line)) lines.push(line);
  }
}

function isBlank(line: Buffer): boolean {
  // A carriage return before the newline is white space to JSON.
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}
