import { ExchangeNotFoundError } from 'wherry';
import * as z from 'zod';
import { nameSchema } from '../../../protocols/http/schemas/common.ts';
import {
  type BindingInput,
  bindingInputSchema,
  bindingListSchema,
  exchangeInputSchema,
  exchangeListSchema,
  exchangeParams,
  exchangeSchema,
  publishSchema,
  publishedSchema,
} from '../../../protocols/http/schemas/exchanges.ts';
import { toMessage } from '../../../protocols/http/schemas/message.ts';
import { definitionLimitsOf } from '../../../vhosts/definition-limits.ts';
import { requireUnlocked } from '../locked-queues.ts';
import { type Call, defineRoute, type Route, type Rule } from '../route.ts';
import { IDEMPOTENCY, withIdempotencyKey } from './send.ts';

const EXCHANGES = { scope: 'vhost', tag: 'exchanges' } as const;

function may(action: 'configure' | 'write' | 'read'): Rule {
  return { kind: 'resource', action, of: 'exchange', param: 'exchange' };
}

const binding: Rule = { kind: 'handler', why: 'the ends of the binding are named in the body' };

export const exchangeRoutes: readonly Route[] = [
  defineRoute({
    ...EXCHANGES,
    id: 'listExchanges',
    method: 'GET',
    url: '/exchanges',
    summary: 'List exchanges',
    description: 'Those that the caller may read, write or configure.',
    rule: { kind: 'vhost' },
    responses: { 200: exchangeListSchema },
    handler: (call) => ({
      exchanges: call.mq.listExchanges().filter(({ name }) => sees(call, name)),
    }),
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'createExchange',
    method: 'PUT',
    url: '/exchanges/:exchange',
    summary: 'Create an exchange',
    description: 'With settings that it has already, nothing changes.',
    rule: may('configure'),
    params: exchangeParams,
    body: exchangeInputSchema,
    responses: { 200: exchangeSchema, 201: exchangeSchema },
    problems: ['QUEUE_EXISTS', 'LIMIT_REACHED'],
    handler: async ({ broker, vhost, mq, params: { exchange: name }, body, reply, require }) => {
      // What nothing matches goes there.
      if (typeof body.alternateExchange === 'string') require('write', body.alternateExchange);
      const isNew = !mq.listExchanges().some((exchange) => exchange.name === name);
      if (isNew) definitionLimitsOf(vhost, mq, broker.config.limits).take('exchanges');
      const exchange = await mq.createExchange({ name, ...body });
      void reply.status(isNew ? 201 : 200);
      return exchange;
    },
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'getExchange',
    method: 'GET',
    url: '/exchanges/:exchange',
    summary: 'An exchange',
    rule: may('read'),
    params: exchangeParams,
    responses: { 200: exchangeSchema },
    problems: ['EXCHANGE_NOT_FOUND'],
    handler: ({ mq, params }) => {
      const found = mq.listExchanges().find(({ name }) => name === params.exchange);
      if (found === undefined) throw new ExchangeNotFoundError(params.exchange);
      return found;
    },
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'deleteExchange',
    method: 'DELETE',
    url: '/exchanges/:exchange',
    summary: 'Delete an exchange with its bindings',
    rule: may('configure'),
    params: exchangeParams,
    responses: { 204: null },
    problems: ['EXCHANGE_NOT_FOUND'],
    handler: async ({ mq, params, reply }) => {
      await mq.deleteExchange(params.exchange);
      return reply.status(204).send();
    },
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'publishMessage',
    method: 'POST',
    url: '/exchanges/:exchange/publish',
    summary: 'Publish a message through an exchange',
    description: 'Every matching queue gets a copy, or, if one refuses it, none.',
    rule: may('write'),
    takesMessages: true,
    headers: IDEMPOTENCY,
    params: exchangeParams,
    body: publishSchema,
    responses: { 200: publishedSchema },
    problems: ['EXCHANGE_NOT_FOUND', 'QUEUE_FULL', 'UNSUPPORTED'],
    handler: ({ mq, params, body, request }) => {
      const message = toMessage(body.message, 'body.message');
      const [keyed] = withIdempotencyKey([message], request.headers, 0);
      return mq.publish(params.exchange, body.routingKey, keyed!);
    },
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'listBindings',
    method: 'GET',
    url: '/bindings',
    summary: 'List bindings',
    rule: { kind: 'vhost' },
    query: z.strictObject({ exchange: nameSchema.optional(), queue: nameSchema.optional() }),
    responses: { 200: bindingListSchema },
    handler: (call) => {
      const { exchange, queue } = call.query;
      const bindings = call.mq
        .listBindings(exchange === undefined ? {} : { exchange })
        .filter(({ destination: { type, name } }) =>
          queue === undefined ? true : type === 'queue' && name === queue,
        );
      return { bindings: bindings.filter((one) => sees(call, one.exchange)) };
    },
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'bind',
    method: 'PUT',
    url: '/bindings',
    summary: 'Bind a queue or an exchange to an exchange',
    description: 'Needs `read` on the exchange and `write` on the destination.',
    rule: binding,
    body: bindingInputSchema,
    responses: { 204: null },
    problems: ['EXCHANGE_NOT_FOUND', 'QUEUE_NOT_FOUND', 'LIMIT_REACHED'],
    handler: async (call) => {
      requireEnds(call);
      const { broker, mq, vhost } = call;
      definitionLimitsOf(vhost, mq, broker.config.limits).takeBinding(call.body);
      await mq.bind(call.body);
      return call.reply.status(204).send();
    },
  }),
  defineRoute({
    ...EXCHANGES,
    id: 'unbind',
    method: 'DELETE',
    url: '/bindings',
    summary: 'Remove a binding, named by its fields',
    rule: binding,
    body: bindingInputSchema,
    responses: { 204: null },
    handler: async (call) => {
      requireEnds(call);
      await call.mq.unbind(call.body);
      return call.reply.status(204).send();
    },
  }),
];

function sees({ allows }: Call, name: string): boolean {
  return (['read', 'write', 'configure'] as const).some((action) => allows(action, name));
}

/** As AMQP brokers do: a binding takes from the exchange and gives to the destination. */
function requireEnds({ body, identity, mq, require }: Call<unknown, unknown, BindingInput>): void {
  require('read', body.exchange);
  if (body.queue !== undefined) requireUnlocked(mq, identity, body.queue);
  const destination = body.queue ?? body.destinationExchange;
  if (destination !== undefined) require('write', destination);
}
