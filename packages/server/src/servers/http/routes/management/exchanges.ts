import { ExchangeNotFoundError } from 'wherry';
import * as z from 'zod';
import { InvalidRequestError } from '../../../../protocols/http/errors.ts';
import type { AmqpExchange, AmqpVhostSide } from '../../../../protocols/management/amqp-side.ts';
import {
  bindingRow,
  DEFAULT_EXCHANGE_SHOWN,
  defaultBinding,
  exchangeRow,
} from '../../../../protocols/management/definition-rows.ts';
import { type Row, rowSchema, rowsSchema } from '../../../../protocols/management/listing.ts';
import {
  deletionQuery,
  exchangeBody,
  namedParams,
  publishBody,
} from '../../../../protocols/management/requests.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { exchangeIn, MANAGEMENT, may, sees, sideOf } from './common.ts';
import { listRoutes } from './lists.ts';

const one = { ...MANAGEMENT, url: '/exchanges/:vhost/:name', params: namedParams } as const;

export const managementExchangeRoutes: readonly Route[] = [
  ...listRoutes('Exchanges', exchangeRows),
  defineRoute({
    ...one,
    id: 'managementExchange',
    method: 'GET',
    summary: 'An exchange',
    description: 'The default exchange is `amq.default` in paths.',
    rule: may('read', 'exchange'),
    responses: { 200: rowSchema },
    problems: ['EXCHANGE_NOT_FOUND'],
    handler: async (call) =>
      exchangeRow(exchangeOf(await sideOf(call), call.params.name), call.vhost),
  }),
  defineRoute({
    ...one,
    id: 'managementPutExchange',
    method: 'PUT',
    summary: 'Declare an exchange, with arguments as in AMQP',
    rule: may('configure', 'exchange'),
    body: exchangeBody.prefault({}),
    responses: { 201: null, 204: null },
    handler: async (call) => {
      const { body, reply, require } = call;
      const { name } = call.params;
      const { type, durable, auto_delete: autoDelete, internal, arguments: table } = body;
      const side = await sideOf(call);
      const declared = { name: exchangeIn(name), type, durable, autoDelete, internal };
      const isNew = await side.declareExchange({ ...declared, arguments: table }, () => {
        const alternate = table['alternate-exchange'];
        if (typeof alternate !== 'string') return;
        require('read', name);
        require('write', alternate);
      });
      return reply.status(isNew ? 201 : 204).send();
    },
  }),
  defineRoute({
    ...one,
    id: 'managementDeleteExchange',
    method: 'DELETE',
    summary: 'Delete an exchange with its bindings',
    rule: may('configure', 'exchange'),
    query: deletionQuery,
    responses: { 204: null },
    problems: ['EXCHANGE_NOT_FOUND'],
    handler: async (call) => {
      const { 'if-unused': ifUnused } = call.query;
      await (await sideOf(call)).deleteExchange(exchangeIn(call.params.name), { ifUnused });
      return call.reply.status(204).send();
    },
  }),
  defineRoute({
    ...one,
    url: `${one.url}/publish`,
    id: 'managementPublish',
    method: 'POST',
    summary: 'Publish a message',
    description: 'It is stored when the answer comes; `routed` says whether it reached a queue.',
    rule: may('write', 'exchange'),
    takesMessages: true,
    body: publishBody,
    responses: { 200: z.strictObject({ routed: z.boolean() }) },
    problems: ['EXCHANGE_NOT_FOUND', 'QUEUE_FULL'],
    handler: async (call) => {
      const { identity, body, params } = call;
      const { properties, routing_key: routingKey } = body;
      const side = await sideOf(call);
      const exchange = exchangeIn(params.name);
      const routed = await side.publish({
        exchange,
        routingKey,
        properties,
        payload: payloadOf(body.payload, body.payload_encoding),
        user: identity.kind === 'token' ? null : identity.name,
      });
      return { routed };
    },
  }),
  bindingsRoute('source', 'managementExchangeSource', 'Where messages of an exchange go'),
  bindingsRoute(
    'destination',
    'managementExchangeDestination',
    'Where messages of an exchange come from',
  ),
];

function bindingsRoute(end: 'source' | 'destination', id: string, summary: string): Route {
  return defineRoute({
    ...one,
    url: `${one.url}/bindings/${end}`,
    id,
    method: 'GET',
    summary,
    rule: may('read', 'exchange'),
    responses: { 200: rowsSchema },
    problems: ['EXCHANGE_NOT_FOUND'],
    handler: async (call) => {
      const side = await sideOf(call);
      const { name } = exchangeOf(side, call.params.name);
      const all =
        name === '' ? side.queues().map((queue) => defaultBinding(queue.name)) : side.bindings();
      const found = all.filter((binding) =>
        end === 'source'
          ? binding.source === name
          : binding.destinationType === 'exchange' && binding.destination === name,
      );
      return found.map((binding) => bindingRow(binding, call.vhost));
    },
  });
}

/** Those that the caller may do something to, and the default one. */
function exchangeRows({ identity }: Call, side: AmqpVhostSide, vhost: string): Row[] {
  const seen = side.exchanges().filter(({ name }) => sees(identity, vhost, name));
  return [DEFAULT_EXCHANGE_SHOWN, ...seen].map((exchange) => exchangeRow(exchange, vhost));
}

/** @param name of a path @throws ExchangeNotFoundError */
function exchangeOf(side: AmqpVhostSide, name: string): AmqpExchange {
  const meant = exchangeIn(name);
  const found = meant === '' ? DEFAULT_EXCHANGE_SHOWN : side.exchange(meant);
  if (found === undefined) throw new ExchangeNotFoundError(name);
  return found;
}

/** @throws InvalidRequestError when it says that it is base64, and is not */
function payloadOf(text: string, encoding: 'string' | 'base64'): Buffer {
  if (encoding === 'string') return Buffer.from(text);
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return Buffer.from(text, 'base64');
  throw new InvalidRequestError([{ field: 'body.payload', detail: 'is not base64' }]);
}
