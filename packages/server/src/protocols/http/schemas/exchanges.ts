import type { BindConfig, ExchangeConfig } from 'wherry';
import * as z from 'zod';
import { nameSchema } from './common.ts';
import { type MessageInput, messageSchema } from './message.ts';

const typeSchema = z.enum(['direct', 'fanout', 'topic', 'headers']);

export const exchangeParams: z.ZodType<{ exchange: string }> = z.strictObject({
  exchange: nameSchema,
});

export const exchangeInputSchema: z.ZodType<Omit<ExchangeConfig, 'name' | 'attributes'>> = z
  .strictObject({
    type: typeSchema,
    alternateExchange: nameSchema
      .nullable()
      .optional()
      .describe('Gets what matches no binding. It need not exist yet.'),
    internal: z.boolean().optional().describe('true: reached from other exchanges only.'),
  })
  .meta({ id: 'ExchangeInput' });

const attributesSchema = z
  .record(z.string(), z.unknown())
  .nullable()
  .describe('What the protocol that declared it remembers of that.');

export const exchangeSchema: z.ZodType = z
  .strictObject({
    name: z.string(),
    type: typeSchema,
    alternateExchange: z.string().nullable(),
    internal: z.boolean(),
    attributes: attributesSchema,
  })
  .meta({ id: 'Exchange' });

export const exchangeListSchema: z.ZodType = z
  .strictObject({ exchanges: z.array(exchangeSchema) })
  .meta({ id: 'ExchangeList' });

const headersSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()]),
);
const matchSchema = z.enum(['all', 'any', 'all-with-x', 'any-with-x']);

export type BindingInput = Omit<BindConfig, 'queue'> & { readonly queue?: string | undefined };

export const bindingInputSchema: z.ZodType<BindingInput> = z
  .strictObject({
    exchange: nameSchema.describe('Where messages come from.'),
    queue: nameSchema.optional().describe('Where they go: a queue, or …'),
    destinationExchange: nameSchema.optional().describe('… another exchange.'),
    routingKey: z.string().optional().describe('A key, or, at a topic exchange, a pattern.'),
    headers: headersSchema.optional().describe('What a headers exchange asks for.'),
    match: matchSchema.optional(),
    arguments: z.string().nullable().optional().describe('As `GET /bindings` shows it.'),
  })
  .meta({ id: 'BindingInput' });

const bindingSchema = z
  .strictObject({
    exchange: z.string(),
    destination: z.strictObject({ type: z.enum(['queue', 'exchange']), name: z.string() }),
    routingKey: z.string(),
    headers: headersSchema.nullable(),
    match: matchSchema,
    arguments: z.string().nullable().describe('What else tells it from others; opaque.'),
  })
  .meta({ id: 'Binding' });

export const bindingListSchema: z.ZodType = z
  .strictObject({ bindings: z.array(bindingSchema) })
  .meta({ id: 'BindingList' });

export interface PublishInput {
  readonly routingKey: string;
  readonly message: MessageInput;
}

export const publishSchema: z.ZodType<PublishInput> = z
  .strictObject({ routingKey: z.string().default(''), message: messageSchema })
  .meta({ id: 'Publish' });

export const publishedSchema: z.ZodType = z
  .strictObject({
    id: z.string().nullable().describe('Of the first copy; null: no queue was reached.'),
    ids: z.array(z.string()).describe('One for each queue.'),
    queues: z.array(z.string()).describe('The queues reached.'),
    duplicate: z.boolean(),
    replaced: z.literal(true).optional(),
  })
  .meta({ id: 'Published' });
