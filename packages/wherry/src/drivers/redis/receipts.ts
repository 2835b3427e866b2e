import type { Receipt } from '../../core/driver.ts';

const ID_LENGTH = 16;
const TOKEN_LENGTH = 7;
/** What no lease has. */
const NO_TOKEN = 0;

/** @returns 16 bytes for each id; zeros for what is no id */
export function encodeIds(ids: readonly string[]): Buffer {
  const bytes = Buffer.alloc(ids.length * ID_LENGTH);
  for (const [index, id] of ids.entries()) writeId(bytes, id, index * ID_LENGTH);
  return bytes;
}

/** @returns token and id of each, as lua/lease.lua reads them */
export function encodeReceipts(receipts: readonly Receipt[]): Buffer {
  const bytes = Buffer.alloc(receipts.length * (TOKEN_LENGTH + ID_LENGTH));
  let at = 0;
  for (const { id, token } of receipts) {
    const known = Number.isSafeInteger(token) && token > 0 ? token : NO_TOKEN;
    at = bytes.writeUIntBE(Math.floor(known / 2 ** 32), at, 3);
    at = bytes.writeUInt32BE(known % 2 ** 32, at);
    writeId(bytes, id, at);
    at += ID_LENGTH;
  }
  return bytes;
}

function writeId(bytes: Buffer, id: string, at: number): void {
  if (id.length === 2 * ID_LENGTH) bytes.write(id, at, 'hex');
}
