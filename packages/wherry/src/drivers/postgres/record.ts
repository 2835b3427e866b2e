import {
  isTextual,
  type MessageProperties,
  type PayloadEncoding,
  type StoredMessage,
} from '../../core/driver.ts';
import type { Death, Lease, MessageState, NewDeath } from '../../core/message.ts';
import { messageIdMaker } from '../../core/message-id.ts';
import { numbersIn } from './arrays.ts';

/** As the column `encoding` has them. */
const ENCODINGS: readonly PayloadEncoding[] = ['json', 'text', 'bytes', 'amqp'];
/** Added to that of text that PostgreSQL takes for none. */
const WITH_ZERO = 4;

/** @returns how the column `encoding` says what a body is */
export function encodingOf({
  encoding,
  body,
}: {
  readonly encoding: PayloadEncoding;
  readonly body: string | Uint8Array;
}): number {
  const hasZero = typeof body === 'string' && body.includes('\0');
  return ENCODINGS.indexOf(encoding) + (hasZero ? WITH_ZERO : 0);
}

/** How messages come out of the database: sql/envelopes.sql. All null: there are none. */
export interface EnvelopesRow {
  readonly sequences: string | null;
  readonly stored_at: string;
  readonly sizes: string;
  /** This and the next two: one item, if it is the same for all. */
  readonly queues: string;
  readonly lanes: string;
  readonly encodings: string;
  readonly lengths: string;
  /** All bodies, if all are text; else `bodies`. */
  readonly texts: string | null;
  readonly bodies: Buffer | null;
  /** JSON. */
  readonly extras: string | null;
}

/** What only few messages have, in the order of `wherry.extra`. */
type Extra = readonly [
  properties: string | null,
  id: string | null,
  publishId: string | null,
  groupId: string | null,
  deduplicationId: string | null,
  availableAt: number | null,
  expiresAt: number | null,
  retryCount: number | null,
  deliveryCount: number | null,
  deaths: readonly Death[] | null,
  parked: NewDeath | null,
];

const NOTHING_EXTRA = Array.from({ length: 11 }, () => null) as unknown as Extra;

const NO_DEATHS: readonly Death[] = Object.freeze([]);

/** What a caller knows of a message beside what is stored with it. */
export interface Standing {
  readonly queueName: string;
  readonly state: MessageState;
  readonly lease: Lease | null;
  /** It is being delivered, which counts from the beginning on. */
  readonly isDelivered: boolean;
}

/** @param standingOf of a message, by its index and its queue's number */
export function unpack<S extends Standing>(
  row: EnvelopesRow,
  salt: number,
  standingOf: (index: number, queueNumber: number) => S,
): (StoredMessage & { readonly lease: S['lease'] })[] {
  if (row.sequences === null) return [];
  const sequences = numbersIn(row.sequences);
  const storedAt = numbersIn(row.stored_at);
  const sizes = numbersIn(row.sizes);
  const queueAt = numberAt(row.queues);
  const laneAt = numberAt(row.lanes);
  const encodingAt = numberAt(row.encodings);
  const lengths = numbersIn(row.lengths);
  const extras = row.extras === null ? null : (JSON.parse(row.extras) as (Extra | null)[]);
  const idMakers = new Map<number, (timestamp: number, sequence: number) => string>();
  const idOf = (queueNumber: number, timestamp: number, sequence: number): string => {
    let make = idMakers.get(queueNumber);
    if (make === undefined) {
      make = messageIdMaker(queueNumber, salt);
      idMakers.set(queueNumber, make);
    }
    return make(timestamp, sequence);
  };
  const bodyAt = bodyReader(row);
  let end = 0;
  return sequences.map((sequence, index) => {
    const start = end;
    end += lengths[index]!;
    const queueNumber = queueAt(index);
    const timestamp = storedAt[index]!;
    const encoding = ENCODINGS[encodingAt(index) % WITH_ZERO]!;
    const extra = extras?.[index] ?? NOTHING_EXTRA;
    const id = extra[1] ?? idOf(queueNumber, timestamp, sequence);
    const { queueName, state, lease, isDelivered } = standingOf(index, queueNumber);
    return {
      id,
      publishId: extra[2] ?? id,
      queueName,
      sequence,
      encoding,
      body: bodyAt(encoding, start, end),
      bytes: sizes[index]!,
      properties: extra[0] === null ? null : (JSON.parse(extra[0]) as MessageProperties),
      priority: 255 - (laneAt(index) >> 16),
      groupId: extra[3],
      deduplicationId: extra[4],
      timestamp,
      availableAt: extra[5] ?? timestamp,
      expiresAt: extra[6],
      retryCount: extra[7] ?? 0,
      deliveryCount: (extra[8] ?? 0) + (isDelivered ? 1 : 0),
      deaths: extra[9] ?? NO_DEATHS,
      parked: extra[10],
      state,
      lease,
    };
  });
}

/** @returns a function from the index to a number that may be the same for all */
export function numberAt(text: string): (index: number) => number {
  const numbers = numbersIn(text);
  const [only] = numbers;
  return numbers.length === 1 ? () => only! : (index) => numbers[index]!;
}

/** @returns a function that cuts a body out of all, by where its bytes begin and end */
function bodyReader({
  texts,
  bodies,
}: EnvelopesRow): (encoding: PayloadEncoding, start: number, end: number) => string | Uint8Array {
  // Of text that is ASCII, as most is, characters are bytes.
  if (texts !== null && Buffer.byteLength(texts) === texts.length) {
    return (_encoding, start, end) => texts.slice(start, end);
  }
  const bytes = bodies ?? Buffer.from(texts!);
  return (encoding, start, end) =>
    isTextual(encoding)
      ? bytes.toString('utf8', start, end)
      : new Uint8Array(bytes.subarray(start, end));
}
