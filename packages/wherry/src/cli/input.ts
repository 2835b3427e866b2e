import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { codeOf, UsageError } from './errors.ts';
import type { Invocation } from './invocation.ts';

/** What a command reads. The stream ends with an error when a signal comes; read it to its end. */
export interface Input {
  readonly stream: Readable;
  /** Bytes, where that is known before. */
  readonly size: number | null;
}

/** @param file standard input for null @throws UsageError when the file cannot be read */
export async function openInput({ io, signal }: Invocation, file: string | null): Promise<Input> {
  if (file === null) return { stream: addAbortSignal(signal, io.stdin), size: null };
  try {
    const stats = await stat(file);
    if (stats.isDirectory()) throw new UsageError(`'${file}' is a folder, not a file.`);
    const size = stats.isFile() ? stats.size : null;
    return { stream: addAbortSignal(signal, createReadStream(file)), size };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`The file '${file}' cannot be read (${codeOf(error)}).`);
  }
}
