import * as z from 'zod';
import { isTextual, type PayloadEncoding, type StoredMessage } from '../driver.ts';
import { ValidationError } from '../errors.ts';
import type { DeathReason } from '../message.ts';
import { mergeQueueSettings } from '../queue-settings.ts';
import { type Binding, type Exchange, parseBinding, parseExchange } from '../routing/exchange.ts';
import type { ScheduleDocument } from '../schedules/document.ts';
import type { QueueDefinition } from './definitions.ts';

/**
 * A store as text: a line of JSON for each thing in it. The first line is the header, the last one
 * says that nothing is missing. docs/export-format.md describes each field.
 *
 * To change the format: what an older version can pass over needs nothing; for all else raise
 * VERSION, and read the versions before it still.
 */
const FORMAT = 'wherry-export';
const VERSION = 2;

export interface ArchiveHeader {
  readonly kind: 'header';
  /** Drawn for each export: by it an import knows what of it was imported before. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly exportedAt: number;
}

/** A message as exported, with what `carry` and `reinstate` read. */
export type ArchivedMessage = Omit<StoredMessage, 'publishId' | 'sequence' | 'state' | 'lease'>;

export type ArchiveLine =
  | ArchiveHeader
  | { readonly kind: 'queue'; readonly queue: QueueDefinition }
  | { readonly kind: 'exchange'; readonly exchange: Exchange }
  | { readonly kind: 'binding'; readonly binding: Binding }
  | { readonly kind: 'schedule'; readonly name: string; readonly value: ScheduleDocument }
  | { readonly kind: 'message'; readonly message: ArchivedMessage }
  | { readonly kind: 'end'; readonly messages: number };

/** @returns the line, without its newline */
export function formatLine(line: ArchiveLine): string {
  switch (line.kind) {
    case 'header':
      return JSON.stringify({ format: FORMAT, version: VERSION, ...line });
    case 'queue':
      return JSON.stringify({ kind: 'queue', ...line.queue });
    case 'exchange':
      return JSON.stringify({ kind: 'exchange', ...line.exchange });
    case 'binding':
      return JSON.stringify({ kind: 'binding', ...line.binding });
    case 'message':
      return formatMessage(line.message);
    case 'schedule':
    case 'end':
      return JSON.stringify(line);
  }
}

/** What is not said is null, 0 or empty. */
function formatMessage(message: ArchivedMessage): string {
  const { id, queueName, encoding, body, deaths, retryCount, ...rest } = message;
  const facts = Object.entries({ ...rest, retryCount }).filter(
    ([, value]) => value !== null && value !== 0,
  );
  return JSON.stringify({
    kind: 'message',
    queue: queueName,
    id,
    ...formatBody(encoding, body),
    ...Object.fromEntries(facts),
    ...(deaths.length === 0 ? {} : { deaths }),
  });
}

/** A JSON payload is itself where that gives the same text back, else its text. */
function formatBody(encoding: PayloadEncoding, body: string | Uint8Array): Record<string, unknown> {
  if (!isTextual(encoding)) {
    const base64 = Buffer.from(body as Uint8Array).toString('base64');
    return encoding === 'amqp' ? { amqp: base64 } : { base64 };
  }
  if (encoding === 'text') return { text: body };
  try {
    const payload: unknown = JSON.parse(body as string);
    if (JSON.stringify(payload) === body) return { payload };
  } catch {
    // Not what it says it is: kept as it is.
  }
  return { json: body };
}

const text = z.string();
const whole = z.int().min(0);
const name = z.string().min(1);
const REASONS: { readonly [Reason in DeathReason]: Reason } = {
  rejected: 'rejected',
  'max-retries': 'max-retries',
  'lease-expired': 'lease-expired',
  expired: 'expired',
  overflow: 'overflow',
  invalid: 'invalid',
};

const death = z.object({
  queue: text,
  reason: z.enum(REASONS),
  error: text.optional(),
  stack: text.optional(),
  route: z
    .object({
      exchange: text,
      routingKeys: z.array(text),
      toExchange: text,
      toRoutingKeys: z.array(text),
    })
    .optional(),
});

const properties = z.object({
  contentType: text.optional(),
  headers: z.record(text, z.union([text, z.number(), z.boolean(), z.null()])).optional(),
  correlationId: text.optional(),
  replyTo: text.optional(),
  messageId: text.optional(),
  maxRetries: whole.optional(),
});

const messageSchema = z.object({
  queue: name,
  id: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits'),
  payload: z.unknown().optional(),
  text: text.optional(),
  base64: z.base64().optional(),
  amqp: z.base64().optional(),
  json: text.optional(),
  bytes: whole,
  properties: properties.nullable().default(null),
  priority: z.int().min(0).max(255).default(0),
  groupId: name.nullable().default(null),
  deduplicationId: name.nullable().default(null),
  timestamp: whole,
  availableAt: whole.default(0),
  expiresAt: whole.nullable().default(null),
  retryCount: whole.default(0),
  deliveryCount: whole.default(0),
  deaths: z.array(death.extend({ time: whole, count: z.int().min(1) })).default([]),
  parked: death.nullable().default(null),
});

const headerSchema = z.object({
  kind: z.literal('header'),
  format: z.literal(FORMAT),
  version: z.int().min(1),
  id: name,
  exportedAt: whole,
});

const queueSchema = z.object({
  name,
  settings: z.record(text, z.unknown()),
  createdAt: whole,
});

const moment = whole.nullable();

/** What a scheduler reads of it; the message in it was checked when the schedule was made. */
const scheduleSchema = z.object({
  name,
  value: z.looseObject({
    definition: z.looseObject({
      timing: z.discriminatedUnion('type', [
        z.object({ type: z.literal('cron'), cron: text, timezone: text }),
        z.object({ type: z.literal('every'), every: z.int().min(1) }),
      ]),
      target: z.discriminatedUnion('type', [
        z.object({ type: z.literal('queue'), queue: name }),
        z.object({ type: z.literal('exchange'), exchange: text, routingKey: text }),
      ]),
      message: z.looseObject({ encoding: text, body: text, fields: z.record(text, z.unknown()) }),
      catchUp: z.enum(['none', 'latest', 'all']),
      startAt: moment,
      endAt: moment,
      limit: z.int().min(1).nullable(),
    }),
    createdAt: whole,
    paused: z.boolean(),
    after: whole,
    lastTick: moment,
    sent: whole,
  }),
});

/**
 * Reads the first line.
 * @throws ValidationError when it is no export, or one of a newer version
 */
export function parseHeader(value: unknown): ArchiveHeader {
  const parsed = headerSchema.safeParse(value);
  if (!parsed.success) {
    throw new ValidationError('The first line is not the header of an export.');
  }
  const { version, id, exportedAt } = parsed.data;
  if (version > VERSION) {
    throw new ValidationError(
      `The export has version ${version} of the format; this version of Wherry knows versions up to ` +
        `${VERSION}. Upgrade wherry to import it.`,
    );
  }
  return { kind: 'header', id, exportedAt };
}

/** Reads any other line. @returns null for a kind that is not known @throws ValidationError */
export function parseLine(value: unknown): ArchiveLine | null {
  if (typeof value !== 'object' || value === null)
    throw new ValidationError('It is not an object.');
  const { kind, ...rest } = value as { kind?: unknown };
  switch (kind) {
    case 'queue': {
      const { settings, ...queue } = check(queueSchema, rest);
      const complete = mergeQueueSettings(settings);
      return { kind, queue: { ...queue, settings: complete } };
    }
    case 'exchange':
      return { kind, exchange: parseExchange(rest as Exchange) };
    case 'binding':
      return { kind, binding: parseBinding(rest as Binding) };
    case 'schedule':
      return parseSchedule(rest);
    case 'message':
      return { kind, message: parseMessage(rest) };
    case 'end':
      return { kind, messages: check(z.object({ messages: whole }), rest).messages };
    default:
      return null;
  }
}

function parseSchedule(rest: object): ArchiveLine {
  const { name: scheduleName, value } = check(scheduleSchema, rest);
  return { kind: 'schedule', name: scheduleName, value: value as object as ScheduleDocument };
}

function parseMessage(value: unknown): ArchivedMessage {
  const { queue, payload, text: plain, base64, amqp, json, ...rest } = check(messageSchema, value);
  const given = [payload, plain, base64, amqp, json].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw new ValidationError('A message has exactly one of payload, text, base64, amqp and json.');
  }
  const message = { queueName: queue, ...rest } as Omit<ArchivedMessage, 'encoding' | 'body'>;
  if (plain !== undefined) return { ...message, encoding: 'text', body: plain };
  if (base64 !== undefined) {
    return { ...message, encoding: 'bytes', body: Buffer.from(base64, 'base64') };
  }
  if (amqp !== undefined) {
    return { ...message, encoding: 'amqp', body: Buffer.from(amqp, 'base64') };
  }
  return { ...message, encoding: 'json', body: json ?? JSON.stringify(payload) };
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'it'}: ${message}`,
  );
  throw new ValidationError(`The line is wrong: ${problems.join('; ')}.`);
}
