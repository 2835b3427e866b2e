import type { Exchange, HeaderValue, Headers } from 'wherry';
import {
  type ScannedProperties,
  replaceProperties,
  scanProperties,
} from '../../../protocols/amqp/properties.ts';
import { type FieldValue, type Table, decodeTable } from '../../../protocols/amqp/table.ts';
import { EXPIRY_MAX_MS, integerOf } from '../definitions/argument-checks.ts';
import type { Direction } from './content-assembly.ts';
import { REPLY_QUEUE } from './direct-replies.ts';
import { exchangeTraits } from '../definitions/exchange-traits.ts';
import { preconditionFailed } from '../definitions/refuse.ts';
import { termText, typeName } from '../definitions/erlang-terms.ts';

export interface Publishing {
  readonly exchange: Exchange | null;
  readonly routingKey: string;
  /** Who logged in: the only one a message may say it is from; null: nobody, with a token. */
  readonly user: string | null;
  /** The name under which the channel waits for replies. */
  readonly replyName: string | null;
}

const DEDUPLICATION_BYTES_MAX = 255;
const KEY_BYTES_MAX = 255;
/** The largest number of a header of type 'I'. */
const INT_MAX = 2 ** 31 - 1;

/**
 * Reads of a message's properties where it goes and how it is stored.
 * @param raw as in the content header
 * @throws AmqpError 406, AmqpSyntaxError
 */
export function directionOf(raw: Buffer, publishing: Publishing): Direction {
  const scanned = scanProperties(raw);
  const { userId, priority = 0, replyTo } = scanned;
  if (userId !== undefined && userId !== publishing.user) {
    const { user } = publishing;
    throw preconditionFailed(
      `user_id property set to '${userId}' but ` +
        (user === null ? 'a token was shown' : `authenticated user was '${user}'`),
    );
  }
  const ttl = timeToLive(scanned);
  const properties = replyTo === REPLY_QUEUE ? withReplyName(raw, publishing.replyName) : raw;
  const { routingKey } = publishing;
  if (scanned.headersStart < 0) {
    return { properties, routingKeys: [routingKey], headers: null, options: { priority, ttl } };
  }
  const table = decodeTable(raw, scanned.headersStart, scanned.headersEnd);
  const { exchange } = publishing;
  const delay = exchange !== null && exchangeTraits(exchange).isDelayed ? delayOf(table) : 0;
  return {
    properties: storedHeaders(properties, table, delay),
    routingKeys: [routingKey, ...keysIn(table, 'CC'), ...keysIn(table, 'BCC')],
    headers: routingHeaders(table),
    options: {
      priority,
      ttl,
      delay,
      deduplicationId: deduplicationIdOf(table),
    },
  };
}

/** What headers exchanges compare. Of what is no scalar only counts that it is there. */
function routingHeaders(table: Table): Headers {
  const headers: Record<string, HeaderValue> = Object.create(null) as Record<string, HeaderValue>;
  for (const [name, field] of table) headers[name] = scalarOf(field);
  return headers;
}

function scalarOf(field: FieldValue): HeaderValue {
  switch (field.type) {
    case 'V':
      return null;
    case 'A':
    case 'F':
    case 'D':
    case 'x':
      return termText(field);
    case 'l':
    case 'T':
      return Number(field.value);
    case 'S':
      return field.value.toString();
    default:
      return field.value;
  }
}

/** As RabbitMQ reads an expiration, and as it says what is wrong with one. */
function timeToLive({ expiration }: ScannedProperties): number | null {
  if (expiration === undefined) return null;
  const [, digits, rest = ''] = /^([+-]?\d+)(.*)$/s.exec(expiration) ?? [];
  const complaint =
    digits === undefined
      ? 'no_integer'
      : rest === ''
        ? complaintAbout(BigInt(digits.replace('+', '')))
        : `{leftover_string,${JSON.stringify(rest)}}`;
  if (complaint === null) return Number(digits);
  throw preconditionFailed(`invalid expiration '${expiration}': ${complaint}`);
}

function complaintAbout(milliseconds: bigint): string | null {
  if (milliseconds < 0) return `{value_negative,${milliseconds}}`;
  return milliseconds > EXPIRY_MAX_MS ? `{value_too_large,${milliseconds}}` : null;
}

function withReplyName(raw: Buffer, replyName: string | null): Buffer {
  if (replyName === null) throw preconditionFailed('fast reply consumer does not exist');
  return replaceProperties(raw, { replyTo: replyName });
}

/** The headers as consumers get them: without BCC; a delay that has been kept is negative. */
function storedHeaders(raw: Buffer, table: Table, delay: number): Buffer {
  if (!table.has('BCC') && delay === 0) return raw;
  const headers = new Map(table);
  headers.delete('BCC');
  if (delay > INT_MAX) headers.set('x-delay', { type: 'l', value: BigInt(-delay) });
  else if (delay > 0) headers.set('x-delay', { type: 'I', value: -delay });
  return replaceProperties(raw, { headers });
}

function keysIn(table: Table, header: 'CC' | 'BCC'): string[] {
  const field = table.get(header);
  if (field === undefined) return [];
  if (field.type !== 'A') {
    throw preconditionFailed(
      `invalid message: {unacceptable_type_in_header,"${header}",${typeName(field)}}`,
    );
  }
  return field.value.flatMap((key) => {
    if (key.type !== 'S') return [];
    const text = key.value.toString();
    // No binding has such a key.
    return Buffer.byteLength(text) > KEY_BYTES_MAX ? [] : [text];
  });
}

/**
 * Milliseconds. As the delayed-message plug-in: what is no positive integer is no delay.
 * @throws AmqpError 406
 */
function delayOf(table: Table): number {
  const field = table.get('x-delay');
  const delay = field?.type === 'S' ? Number(field.value.toString()) : integerOf(field);
  if (delay === undefined || !Number.isInteger(delay)) return 0;
  if (delay > EXPIRY_MAX_MS) {
    throw preconditionFailed(
      `invalid message: x-delay is ${delay}; it may be at most ${EXPIRY_MAX_MS} milliseconds`,
    );
  }
  return Math.max(0, delay);
}

function deduplicationIdOf(table: Table): string | null {
  const field = table.get('x-deduplication-header');
  if (field === undefined) return null;
  const id = String(scalarOf(field));
  if (id === '') return null;
  if (Buffer.byteLength(id) > DEDUPLICATION_BYTES_MAX) {
    throw preconditionFailed(
      `invalid message: x-deduplication-header is longer than ${DEDUPLICATION_BYTES_MAX} bytes`,
    );
  }
  return id;
}
