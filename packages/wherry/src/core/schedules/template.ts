import { ValidationError } from '../errors.ts';
import { show, utf8Length } from '../limits.ts';
import type { Message } from '../message.ts';
import { type EncodedPayload, decodePayload, encodePayload } from '../payload.ts';

/** Names the schedule, in the headers of what it sends. */
const SCHEDULE_HEADER = 'schedule';
/** The tick that a message is for, in ISO 8601. */
const SCHEDULED_AT_HEADER = 'scheduled-at';

/** A message as the definition of a schedule holds it: JSON-safe. */
export interface MessageTemplate {
  readonly encoding: EncodedPayload['encoding'];
  /** Bytes in base64. */
  readonly body: string;
  readonly fields: Omit<Message, 'payload'>;
}

/** The definition is written anew at each tick. */
const BODY_BYTES_MAX = 64 * 1024;

/** @throws ValidationError, SerializationError */
export function templateOf(message: Message): MessageTemplate {
  if (typeof message !== 'object' || message === null || !('payload' in message)) {
    throw new ValidationError(`message is ${show(message)}; it must be { payload: … }.`);
  }
  const { payload, ...fields } = message;
  if (fields.deliverAt !== undefined) {
    throw new ValidationError('deliverAt is one moment, a schedule has many: give delay instead.');
  }
  for (const name of [SCHEDULE_HEADER, SCHEDULED_AT_HEADER]) {
    if (fields.headers?.[name] !== undefined) {
      throw new ValidationError(`The header '${name}' is set by the schedule itself.`);
    }
  }
  const { encoding, body } = encodePayload(payload);
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('base64');
  const bytes = utf8Length(text);
  if (bytes > BODY_BYTES_MAX) {
    throw new ValidationError(
      `The payload is ${bytes} bytes; the message of a schedule has at most ${BODY_BYTES_MAX}. ` +
        'Send a reference to where the data is.',
    );
  }
  return { encoding, body: text, fields };
}

/** The message as it was given. */
export function messageOf({ encoding, body, fields }: MessageTemplate): Message {
  const given = encoding === 'bytes' ? new Uint8Array(Buffer.from(body, 'base64')) : body;
  return { payload: decodePayload(encoding, given), ...fields };
}

/** The message of one tick. @param tick milliseconds since 1970 */
export function messageAt(template: MessageTemplate, schedule: string, tick: number): Message {
  const message = messageOf(template);
  const headers = {
    ...message.headers,
    [SCHEDULE_HEADER]: schedule,
    [SCHEDULED_AT_HEADER]: new Date(tick).toISOString(),
  };
  return { ...message, headers };
}
