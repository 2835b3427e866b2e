import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { codeOf, UsageError } from './errors.ts';

/**
 * The file is there when it is whole, and not before.
 * @throws UsageError when it cannot be written, and whatever `write` throws
 */
export async function writeFile<Result>(
  file: string,
  write: (to: Writable) => Promise<Result>,
): Promise<Result> {
  const part = `${file}.part`;
  const stream = createWriteStream(part);
  const opened = new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', reject);
  });
  try {
    await opened;
    const result = await write(stream);
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      stream.end(resolve);
    });
    await rename(part, file);
    return result;
  } catch (error) {
    stream.destroy();
    await rm(part, { force: true });
    if (['ENOENT', 'EACCES', 'EISDIR', 'EROFS'].includes(codeOf(error))) {
      throw new UsageError(`The file '${file}' cannot be written (${codeOf(error)}).`);
    }
    throw error;
  }
}
