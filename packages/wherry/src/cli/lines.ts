import type { Readable } from 'node:stream';

/** A line of the input without its line ending. */
export interface Line {
  /** From 1 on, as editors count. */
  readonly number: number;
  /** null: the line was longer than the limit and was left out. */
  readonly bytes: Buffer | null;
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Splits a stream into lines, answering those of one read together, so that a slow writer's line
 * is not held back until a batch is full.
 * @param limit most bytes of a line; a longer one is told of, not stored
 */
export async function* lineBatches(stream: Readable, limit: number): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter(limit);
  for await (const chunk of stream) {
    const lines = splitter.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string));
    if (lines.length > 0) yield lines;
  }
  const last = splitter.end();
  if (last !== null) yield [last];
}

class LineSplitter {
  readonly #limit: number;
  #number = 0;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, at));
      lines.push(this.#take());
      start = at + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** The text after the last newline, if there is any. */
  end(): Line | null {
    return this.#length > 0 ? this.#take() : null;
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#limit) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #take(): Line {
    const bytes = this.#length > this.#limit ? null : withoutReturn(Buffer.concat(this.#parts));
    this.#parts = [];
    this.#length = 0;
    return { number: ++this.#number, bytes };
  }
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
}
