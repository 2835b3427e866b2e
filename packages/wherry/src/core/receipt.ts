/** What a receipt says: which lease of which message of which queue. */
export interface ReceiptParts {
  readonly queueNumber: number;
  readonly token: number;
  readonly id: string;
}

/** The layout's version, the queue's number and the lease's token in base 36, the message's id. */
const LAYOUT = /^1\.([0-9a-z]{1,11})\.([0-9a-z]{1,11})\.(.+)$/s;
/** A name is at most 255 bytes long, and no id is longer. */
const LENGTH_MAX = 512;

/** @returns a text without meaning to others, which may stand in a URL */
export function encodeReceipt(queueNumber: number, id: string, token: number): string {
  const text = `1.${queueNumber.toString(36)}.${token.toString(36)}.${id}`;
  return Buffer.from(text).toString('base64url');
}

/** @returns null when the text is no receipt */
export function decodeReceipt(text: unknown): ReceiptParts | null {
  if (typeof text !== 'string' || text.length > LENGTH_MAX) return null;
  const match = LAYOUT.exec(Buffer.from(text, 'base64url').toString());
  if (match === null) return null;
  const queueNumber = Number.parseInt(match[1]!, 36);
  const token = Number.parseInt(match[2]!, 36);
  return { queueNumber, token, id: match[3]! };
}
