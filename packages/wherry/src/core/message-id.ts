/**
 * The layout of a message id: a UUIDv7 (RFC 9562, section 5.7) without dashes, whose random bits
 * say where the message was stored first, so that a store finds it without an index.
 *
 *     tttttttttttt 7hhh vlll ssssssssssss
 *     t  milliseconds since 1970, 48 bits
 *     7  the UUID's version; hhh: the queue's tag, its upper 12 bits
 *     v  the UUID's variant (binary 10) and, with lll, the lower 14 bits of the queue's tag
 *     s  the store's sequence within the queue, 48 bits
 *
 * The tag is the queue's number XOR a salt that is drawn once per store: ids of two stores differ.
 */

/** One more than the greatest queue number that an id can hold, and than the greatest salt. */
export const QUEUE_TAG_LIMIT: number = 2 ** 26;

/** What an id says about its message. */
export interface MessageIdParts {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly queueNumber: number;
  readonly sequence: number;
}

const ID_PATTERN = /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/;

/** All two-digit numbers: an id is made for every message, so it is put together from parts. */
const LAST_DIGITS: readonly string[] = Array.from({ length: 256 }, (_, low) =>
  low.toString(16).padStart(2, '0'),
);

/**
 * Makes the ids of one queue.
 * @param queueNumber the queue's number, below {@link QUEUE_TAG_LIMIT}
 * @param salt the store's, below {@link QUEUE_TAG_LIMIT}
 * @returns a function from (timestamp in milliseconds since 1970, sequence) to the id
 */
export function messageIdMaker(
  queueNumber: number,
  salt: number,
): (timestamp: number, sequence: number) => string {
  const tag = (queueNumber ^ salt) % QUEUE_TAG_LIMIT;
  const middle = (0x70008000 + (tag >>> 14) * 0x10000 + (tag & 0x3fff)).toString(16);
  let timeBefore = -1;
  let highBefore = -1;
  let beginning = '';
  return (timestamp, sequence) => {
    const high = Math.floor(sequence / 256);
    // Neighbours share all but the end.
    if (timestamp !== timeBefore || high !== highBefore) {
      timeBefore = timestamp;
      highBefore = high;
      const digits = high.toString(16).padStart(10, '0');
      beginning = timestamp.toString(16).padStart(12, '0') + middle + digits;
    }
    return beginning + LAST_DIGITS[sequence % 256]!;
  };
}

/**
 * Takes an id apart.
 * @param id any text
 * @param salt the store's
 * @returns null when the text is no id. An id of another store gives parts that fit no message.
 */
export function parseMessageId(id: string, salt: number): MessageIdParts | null {
  if (!ID_PATTERN.test(id)) return null;
  const high = Number.parseInt(id.slice(13, 16), 16);
  const low = Number.parseInt(id.slice(16, 20), 16) & 0x3fff;
  return {
    timestamp: Number.parseInt(id.slice(0, 12), 16),
    queueNumber: (high * 0x4000 + low) ^ salt,
    sequence: Number.parseInt(id.slice(20), 16),
  };
}

/** @returns the sequence that an id tells; of any other text, any number */
export function sequenceIn(id: string): number {
  let high = 0;
  let low = 0;
  for (let at = 20; at < 26; at++) high = high * 16 + hexDigit(id.charCodeAt(at));
  for (let at = 26; at < 32; at++) low = low * 16 + hexDigit(id.charCodeAt(at));
  return high * 0x1000000 + low;
}

function hexDigit(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
