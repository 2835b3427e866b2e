import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for a store that is removed when its block ends, so that each run starts afresh. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'wherry-example-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
