import type { Delivery, Envelope, Message } from 'wherry';
import * as z from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { durationSchema, nameSchema, nextCursorSchema, timeSchema } from './common.ts';

const headersSchema = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .describe('Names and values that travel with the message.');

const deduplicationSchema = z
  .strictObject({
    id: nameSchema,
    mode: z
      .enum(['throttle', 'keep-last'])
      .describe(
        'The first within the window is stored, or the last takes the place of one that waits.',
      ),
    window: durationSchema.optional(),
  })
  .meta({ id: 'Deduplication' });

const payloadEncodingSchema = z
  .literal('base64')
  .optional()
  .describe('The payload is bytes, as base64 text.');

/** A message in JSON: bytes and moments are texts. */
export interface MessageInput extends Omit<Message, 'deliverAt'> {
  readonly payloadEncoding?: 'base64';
  readonly deliverAt?: number | string;
}

/** What a producer sends. */
export const messageSchema: z.ZodType<MessageInput> = z
  .strictObject({
    payload: z
      .unknown()
      .describe('Any JSON value. A string is stored as text; bytes come as base64 text.'),
    payloadEncoding: payloadEncodingSchema,
    contentType: z.string().optional(),
    headers: headersSchema.optional(),
    priority: z.int().min(0).max(255).optional().describe('Higher is received first. Default 0.'),
    ttl: durationSchema.optional().describe('Time to live, from first availability on.'),
    delay: durationSchema.optional().describe('Until it becomes available.'),
    deliverAt: z
      .union([z.number(), z.iso.datetime({ offset: true })], {
        error: 'it must be milliseconds since 1970, or an ISO 8601 time with an offset',
      })
      .optional()
      .describe(
        'The moment it becomes available, instead of `delay`: milliseconds since 1970 or ISO 8601.',
      ),
    maxRetries: z.int().min(0).optional().describe("Instead of the queue's."),
    deduplicationId: nameSchema
      .optional()
      .describe("Sent twice within the queue's deduplicationWindow, it is stored once."),
    deduplication: deduplicationSchema.optional(),
    groupId: nameSchema.optional().describe('Messages of one group are handled in order.'),
    correlationId: z.string().optional(),
    replyTo: z.string().optional(),
    messageId: z.string().optional().describe("The client's own id."),
  })
  .meta({ id: 'Message' }) as unknown as z.ZodType<MessageInput>;

/** @param field where the message stands, for the error @throws InvalidRequestError */
export function toMessage(input: MessageInput, field = 'body'): Message {
  const { payloadEncoding, deliverAt, ...rest } = input;
  if (payloadEncoding === undefined && deliverAt === undefined) return rest;
  return {
    ...rest,
    ...(payloadEncoding !== undefined && { payload: bytesOf(input.payload, field) }),
    ...(deliverAt !== undefined && {
      deliverAt: typeof deliverAt === 'string' ? new Date(deliverAt) : deliverAt,
    }),
  };
}

function bytesOf(payload: unknown, field: string): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'base64') : null;
  if (bytes === null || bytes.toString('base64') !== payload) {
    const detail = 'is not base64 text, as payloadEncoding says';
    throw new InvalidRequestError([{ field: `${field}.payload`, detail }]);
  }
  return bytes;
}

const newDeathShape = {
  queue: z.string(),
  reason: z.enum(['rejected', 'max-retries', 'lease-expired', 'expired', 'overflow', 'invalid']),
  error: z.string().optional(),
  stack: z.string().optional(),
  route: z
    .strictObject({
      exchange: z.string(),
      routingKeys: z.array(z.string()),
      toExchange: z.string(),
      toRoutingKeys: z.array(z.string()),
    })
    .optional()
    .describe('Where it had been published, and through which exchange it went on.'),
};

const deathSchema = z
  .strictObject({ ...newDeathShape, time: timeSchema, count: z.int() })
  .meta({ id: 'Death', description: 'Where, why and how often the message died.' });

const storedShape = {
  id: z.string(),
  queueName: z.string(),
  payload: z.unknown(),
  payloadEncoding: payloadEncodingSchema,
  contentType: z.string().optional(),
  headers: headersSchema.optional(),
  priority: z.int(),
  maxRetries: z.int().optional(),
  deduplicationId: z.string().optional(),
  groupId: z.string().optional(),
  correlationId: z.string().optional(),
  replyTo: z.string().optional(),
  messageId: z.string().optional(),
  timestamp: timeSchema.describe('When it was stored.'),
  availableAt: timeSchema,
  expiresAt: timeSchema.nullable(),
  retryCount: z.int(),
  deliveryCount: z.int(),
  deaths: z.array(deathSchema),
  parked: z
    .strictObject(newDeathShape)
    .nullable()
    .describe('Why it waits at its source for room in its dead-letter queue, or for a person.'),
  publishId: z.string(),
  lease: z
    .strictObject({ consumerId: z.string(), until: timeSchema })
    .nullable()
    .describe('Who holds it.'),
};

/** A message that is looked at. */
export const storedMessageSchema: z.ZodType = z
  .strictObject({ ...storedShape, state: z.enum(['ready', 'scheduled', 'leased']) })
  .meta({ id: 'StoredMessage' });

export const storedMessagesSchema: z.ZodType = z
  .strictObject({ messages: z.array(storedMessageSchema), cursor: nextCursorSchema })
  .meta({ id: 'StoredMessages' });

/** A message that was received. */
export const receivedMessageSchema: z.ZodType = z
  .strictObject({
    receipt: z.string().describe('Settles or extends the lease.'),
    ...storedShape,
    state: z.literal('leased'),
  })
  .meta({ id: 'ReceivedMessage' });

/** The body of a `StoredMessage`. The lease's token is its holder's alone. */
export function storedMessage(envelope: Envelope): Record<string, unknown> {
  const { payload, ...properties } = envelope.message;
  const { lease } = envelope;
  return {
    id: envelope.id,
    queueName: envelope.queueName,
    ...payloadFields(payload),
    ...properties,
    priority: envelope.priority,
    timestamp: envelope.timestamp,
    availableAt: envelope.availableAt,
    expiresAt: envelope.expiresAt,
    retryCount: envelope.retryCount,
    deliveryCount: envelope.deliveryCount,
    deaths: envelope.deaths,
    parked: envelope.parked,
    publishId: envelope.publishId,
    lease: lease === null ? null : { consumerId: lease.consumerId, until: lease.until },
    state: envelope.state,
  };
}

/** The body of a `ReceivedMessage`. */
export function receivedMessage(delivery: Delivery): Record<string, unknown> {
  return { receipt: delivery.receipt, ...storedMessage(delivery) };
}

/** A payload in JSON: bytes become base64 text, and it says so. */
export function payloadFields(payload: unknown): { payload: unknown; payloadEncoding?: 'base64' } {
  if (!(payload instanceof Uint8Array)) return { payload };
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return { payload: bytes.toString('base64'), payloadEncoding: 'base64' };
}
