import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DATA_FILE } from './tables.ts';

/** As LMDB reports them: a full map, and the system's ENOSPC, EDQUOT and EFBIG. */
const FULL_CODES: ReadonlySet<unknown> = new Set([
  -30792,
  28,
  122,
  27,
  'ENOSPC',
  'EDQUOT',
  'EFBIG',
]);
const FULL_TEXT = /MDB_MAP_FULL|No space left|quota exceeded|File too large/i;
const EIO = 5;

/** More than what a write that found too little room left over. */
const PROBE_BYTES = 256 * 1024;

/** @returns whether a failure says that there was no room */
export function saysFull(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return FULL_CODES.has(code) || FULL_TEXT.test(String(message));
}

/**
 * Tells a full disk from a broken one. A disk that fills up in the middle of a write takes a part
 * of it; LMDB calls that an input/output error, as it calls a failed sync. Only in the first case
 * is there no room for a few pages more. (Were both true at once, going on would still lose
 * nothing: the pages of the commit that failed belong to nothing that is stored.)
 * @param folder the store's
 */
export async function isDiskFull(error: unknown, folder: string): Promise<boolean> {
  if (saysFull(error)) return true;
  if ((error as { code?: unknown }).code !== EIO) return false;
  const path = join(folder, 'room.probe');
  try {
    // As far from the start as the store's file ends, for there may be a limit on that too.
    const { size } = await stat(join(folder, DATA_FILE));
    const file = await open(path, 'w');
    try {
      const { bytesWritten } = await file.write(Buffer.alloc(PROBE_BYTES), 0, PROBE_BYTES, size);
      if (bytesWritten < PROBE_BYTES) return true;
      await file.sync();
    } finally {
      await file.close();
    }
    return false;
  } catch (failure) {
    return saysFull(failure);
  } finally {
    await rm(path, { force: true });
  }
}
