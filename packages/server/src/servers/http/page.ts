import type { Envelope } from 'wherry';
import { storedMessage } from '../../protocols/http/schemas/message.ts';
import { fitsWhole } from './fitting.ts';
import type { Call } from './route.ts';

interface Page<Entry> {
  readonly messages: Entry[];
  readonly cursor: string | null;
}

interface Asked {
  readonly limit: number;
  readonly cursor?: string;
}

/** Of a large queue: of how many messages the store is asked at once, at first and at most. */
const PIECE_MIN = 4;
const PIECE_MAX = 32;

/**
 * A page of messages that are looked at, no larger than a response may be unless it has but one: it
 * is read in pieces, for what comes next may be much larger than the average. Its bytes are held
 * until it was sent.
 * @param look how to read a piece
 * @throws OverloadedError, and what `look` throws
 */
export async function fittingPage(
  { mq, reply, services }: Pick<Call, 'mq' | 'reply' | 'services'>,
  queue: string,
  asked: { readonly limit: number; readonly cursor?: string | undefined },
  look: (asked: Asked) => Promise<Page<Envelope>>,
): Promise<Page<object>> {
  const { bodyBytes } = services.limits;
  services.bytes.check();
  let piece = (await fitsWhole(mq, queue, bodyBytes)) ? asked.limit : PIECE_MIN;
  let cursor = asked.cursor ?? null;
  const messages: object[] = [];
  let left = bodyBytes;
  const next = async (limit: number): Promise<Page<object> & { readonly sizes: number[] }> => {
    const found = await look({ limit, ...(cursor !== null && { cursor }) });
    const entries = found.messages.map(storedMessage);
    const sizes = entries.map((entry) => Buffer.byteLength(JSON.stringify(entry)));
    return { messages: entries, cursor: found.cursor, sizes };
  };
  for (;;) {
    const limit = Math.min(piece, asked.limit - messages.length);
    let found = await next(limit);
    const room = countWithin(found.sizes, left);
    const isCut = room < found.sizes.length;
    if (isCut && room === 0 && messages.length > 0) return { messages, cursor };
    // The cursor is that of the end of a page: a shorter one has another.
    if (isCut) found = await next(Math.max(1, room));
    const size = found.sizes.reduce((sum, one) => sum + one, 0);
    services.holdFor(reply, size);
    messages.push(...found.messages);
    left -= size;
    cursor = found.cursor;
    const isOver = cursor === null || found.messages.length < limit;
    if (isCut || isOver || messages.length >= asked.limit) return { messages, cursor };
    piece = Math.min(PIECE_MAX, piece * 2);
  }
}

function countWithin(sizes: readonly number[], bytes: number): number {
  let sum = 0;
  const end = sizes.findIndex((size) => (sum += size) > bytes);
  return end === -1 ? sizes.length : end;
}
