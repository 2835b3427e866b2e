import * as z from 'zod';
import type { PlainTable } from './amqp-side.ts';

/** Of a path; '' is not one. */
const nameSchema = z.string().min(1).max(255);

export const namedParams: z.ZodType<{ name: string }> = z.strictObject({ name: nameSchema });

const flag = z
  .union([z.boolean(), z.enum(['true', 'false'])])
  .transform((on) => String(on) === 'true');
const tableSchema: z.ZodType<PlainTable> = z.record(z.string(), z.unknown());
// An empty table of PHP's is an empty list.
const argumentsSchema: z.ZodType<PlainTable> = z
  .union([tableSchema, z.tuple([]).transform(() => ({}))])
  .default({});

/** Of `?if-unused=true`. */
export const deletionQuery: z.ZodType<{ 'if-unused': boolean; 'if-empty': boolean }> =
  z.looseObject({ 'if-unused': flag.default(false), 'if-empty': flag.default(false) });

export const vhostBody: z.ZodType<{ description?: string | undefined }> = z.looseObject({
  description: z.string().max(1_000).optional(),
});

export interface QueueBody {
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly arguments: PlainTable;
}

export const queueBody: z.ZodType<QueueBody> = z.looseObject({
  durable: flag.default(false),
  auto_delete: flag.default(false),
  arguments: argumentsSchema,
});

export interface ExchangeBody extends QueueBody {
  readonly type: string;
  readonly internal: boolean;
}

export const exchangeBody: z.ZodType<ExchangeBody> = z.looseObject({
  type: z.string().max(255).default('direct'),
  durable: flag.default(false),
  auto_delete: flag.default(false),
  internal: flag.default(false),
  arguments: argumentsSchema,
});

export interface BindingBody {
  readonly routing_key: string;
  readonly arguments: PlainTable;
}

export const bindingBody: z.ZodType<BindingBody> = z.looseObject({
  routing_key: z.string().default(''),
  arguments: argumentsSchema,
});

export interface PublishBody {
  readonly properties: PlainTable;
  readonly routing_key: string;
  readonly payload: string;
  readonly payload_encoding: 'string' | 'base64';
}

export const publishBody: z.ZodType<PublishBody> = z.looseObject({
  properties: z.union([tableSchema, z.tuple([]).transform(() => ({}))]),
  routing_key: z.string(),
  payload: z.string(),
  payload_encoding: z.enum(['string', 'base64']),
});

export interface GetBody {
  readonly count: number;
  readonly ackmode:
    | 'ack_requeue_true'
    | 'ack_requeue_false'
    | 'reject_requeue_true'
    | 'reject_requeue_false';
  readonly encoding: 'auto' | 'base64';
  readonly truncate?: number | undefined;
}

const GET_COUNT_MAX = 1_000;

export const getBody: z.ZodType<GetBody> = z.looseObject({
  count: z.coerce.number().int().min(1).max(GET_COUNT_MAX),
  ackmode: z.enum([
    'ack_requeue_true',
    'ack_requeue_false',
    'reject_requeue_true',
    'reject_requeue_false',
  ]),
  encoding: z.enum(['auto', 'base64']),
  truncate: z.coerce.number().int().min(0).optional().describe('Bytes of the payload to show.'),
});

export interface UserBody {
  readonly password?: string | undefined;
  readonly password_hash?: string | undefined;
  readonly hashing_algorithm?: string | undefined;
  readonly tags: string | readonly string[];
}

export const userBody: z.ZodType<UserBody> = z.looseObject({
  password: z.string().optional().describe('8 to 1,024 characters; a new user needs one.'),
  password_hash: z.string().max(512).optional().describe('Of RabbitMQ: base64.'),
  hashing_algorithm: z.string().max(100).optional(),
  tags: z
    .union([z.string().max(1_000), z.array(z.string().max(255)).max(100)])
    .describe('`administrator` is the only one that means something.'),
});

export interface PermissionBody {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

const expressionSchema = z.string().max(1_000);

export const permissionBody: z.ZodType<PermissionBody> = z.looseObject({
  configure: expressionSchema,
  write: expressionSchema,
  read: expressionSchema,
});
