import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { codeOf, describe, describeLines, OutputClosedError } from './errors.ts';
import { type Cell, formatTable, printable } from './table.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

interface Streams {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
}

/** @returns whether a person at a terminal reads the stream */
export function isTerminal(stream: Writable): boolean {
  return (stream as { isTTY?: boolean }).isTTY === true;
}

/** @returns whether escape codes for colour may go to the stream (no-color.org) */
export function mayColor(stream: Writable, env: NodeJS.ProcessEnv, wanted: boolean): boolean {
  return wanted && isTerminal(stream) && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/**
 * Writes what a command has to say: results to standard output, everything else to standard error,
 * for a program (`json`) or for a person.
 */
export class Output {
  readonly json: boolean;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly #verbose: boolean;
  readonly #env: NodeJS.ProcessEnv;
  readonly #color: boolean;

  constructor(io: Streams, options: { json?: boolean; verbose?: boolean; color: boolean }) {
    this.stdout = io.stdout;
    this.stderr = io.stderr;
    this.json = options.json ?? false;
    this.#verbose = options.verbose ?? false;
    this.#env = io.env;
    this.#color = options.color;
  }

  /**
   * Resolves when the operating system has taken the text: for a pipe, when it was handed to the
   * reader's end; waits while the reader is slow.
   * @throws OutputClosedError when nobody reads any more
   */
  write(chunk: string | Uint8Array): Promise<void> {
    return writeTo(this.stdout, chunk);
  }

  /**
   * A line of JSON. On a terminal, characters that could steer it are escaped, as JSON allows.
   * @throws OutputClosedError when nobody reads any more
   */
  jsonLine(value: unknown): Promise<void> {
    const text = JSON.stringify(value);
    return this.write(`${isTerminal(this.stdout) ? printable(text) : text}\n`);
  }

  /** A command's result: one JSON document for a program, `text` for a person. */
  result(text: string, document: unknown): Promise<void> {
    return this.json ? this.jsonLine(document) : this.write(`${text}\n`);
  }

  /** A list: one JSON document (an array) for a program, a table or `whenEmpty` for a person. */
  list<Row>(
    rows: readonly Row[],
    columns: Readonly<Record<string, (row: Row) => Cell>>,
    whenEmpty: string,
  ): Promise<void> {
    if (this.json) return this.jsonLine(rows);
    if (rows.length === 0) return this.write(`${whenEmpty}\n`);
    return this.table(rows, columns);
  }

  table<Row>(
    rows: readonly Row[],
    columns: Readonly<Record<string, (row: Row) => Cell>>,
  ): Promise<void> {
    const heading = (text: string): string => this.style(this.stdout, 'bold', text);
    return this.write(formatTable(rows, columns, heading));
  }

  /** A list too long for one document: a line of JSON for each item. */
  async records<Item>(
    batches: AsyncIterable<readonly Item[]>,
    record: (item: Item) => unknown,
  ): Promise<void> {
    for await (const batch of batches) {
      for (const item of batch) await this.jsonLine(record(item));
    }
  }

  /** A remark for the person; a program reads the exit code and the result instead. */
  note(text: string): void {
    if (!this.json) this.stderr.write(`${printable(text)}\n`);
  }

  /**
   * Tells of a failure: a sentence for a person, `{"error":{"code","message"}}` for a program.
   * @param details goes into the error's JSON beside code and message
   */
  failure(error: unknown, details: Readonly<Record<string, unknown>> = {}, prefix = ''): void {
    const stack = this.#verbose && error instanceof Error ? fullStack(error) : undefined;
    if (this.json) {
      const report = { code: codeOf(error), message: describe(error), ...details, stack };
      this.stderr.write(`${JSON.stringify({ error: report })}\n`);
      return;
    }
    const label = this.style(this.stderr, 'red', 'error:');
    const lines = describeLines(error).map(printable).join('\n');
    this.stderr.write(`${label} ${prefix}${lines}\n`);
    if (stack !== undefined) this.stderr.write(`${stack}\n`);
  }

  /** @returns the text, styled if the stream shows colour */
  style(stream: Writable, style: Style, text: string): string {
    return mayColor(stream, this.#env, this.#color)
      ? styleText(style, text, { validateStream: false })
      : text;
  }
}

/** Resolves when the operating system has taken the chunk. @throws OutputClosedError */
export function writeTo(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(isClosed(error) ? new OutputClosedError() : error);
    });
  });
}

function isClosed(error: Error): boolean {
  const code = codeOf(error);
  return (
    code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_STREAM_WRITE_AFTER_END'
  );
}

function fullStack(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by ${fullStack(error.cause)}` : own;
}
