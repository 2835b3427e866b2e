import * as z from 'zod';
import { ThingNotFoundError } from '../../../../protocols/http/errors.ts';
import type { AmqpBinding, AmqpVhostSide } from '../../../../protocols/management/amqp-side.ts';
import {
  bindingRow,
  defaultBinding,
  hasPropertiesKey,
  propertiesKey,
} from '../../../../protocols/management/definition-rows.ts';
import { type Row, rowSchema, rowsSchema } from '../../../../protocols/management/listing.ts';
import { type BindingBody, bindingBody } from '../../../../protocols/management/requests.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { exchangeIn, MANAGEMENT, may, sees, sideOf } from './common.ts';
import { listRoutes } from './lists.ts';

type Ends = { readonly source: string; readonly destination: string };
type Kind = AmqpBinding['destinationType'];

const name = z.string().min(1).max(255);
const endsParams: z.ZodType<Ends> = z.strictObject({ source: name, destination: name });
const oneParams: z.ZodType<Ends & { readonly properties: string }> = z.strictObject({
  source: name,
  destination: name,
  properties: z.string().max(1_000),
});

export const managementBindingRoutes: readonly Route[] = [
  ...listRoutes('Bindings', bindingRows),
  ...routesBetween('queue'),
  ...routesBetween('exchange'),
];

/** Bindings between an exchange and what it gives to. */
function routesBetween(kind: Kind): Route[] {
  const url = `/bindings/:vhost/e/:source/${kind === 'queue' ? 'q' : 'e'}/:destination`;
  const Named = kind === 'queue' ? 'Queue' : 'Exchange';
  const ends = { ...MANAGEMENT, url, params: endsParams } as const;
  const one = { ...MANAGEMENT, url: `${url}/:properties`, params: oneParams } as const;
  return [
    defineRoute({
      ...ends,
      id: `managementBindingsTo${Named}`,
      method: 'GET',
      summary: `The bindings of an exchange to one ${kind}`,
      rule: may('read', 'exchange', 'source'),
      responses: { 200: rowsSchema },
      handler: async (call) =>
        between(await sideOf(call), kind, call.params).map((each) => bindingRow(each, call.vhost)),
    }),
    defineRoute({
      ...ends,
      id: `managementBind${Named}`,
      method: 'POST',
      summary: `Bind a ${kind} to an exchange`.replace('a exchange', 'an exchange'),
      rule: { kind: 'handler', why: 'read on the exchange, and write on the destination' },
      body: bindingBody.prefault({}),
      responses: { 201: null },
      problems: ['EXCHANGE_NOT_FOUND', 'QUEUE_NOT_FOUND'],
      handler: (call) => bind(call, kind),
    }),
    defineRoute({
      ...one,
      id: `managementBindingTo${Named}`,
      method: 'GET',
      summary: 'One binding',
      description: '`properties` is the `properties_key` that the list shows.',
      rule: may('read', 'exchange', 'source'),
      responses: { 200: rowSchema },
      problems: ['BINDING_NOT_FOUND'],
      handler: async (call) =>
        bindingRow(bindingOf(await sideOf(call), kind, call.params), call.vhost),
    }),
    defineRoute({
      ...one,
      id: `managementUnbind${Named}`,
      method: 'DELETE',
      summary: 'Remove one binding',
      rule: { kind: 'handler', why: 'read on the exchange, and write on the destination' },
      responses: { 204: null },
      problems: ['BINDING_NOT_FOUND'],
      handler: async (call) => {
        requireEnds(call);
        const side = await sideOf(call);
        await side.unbind(bindingOf(side, kind, call.params));
        return call.reply.status(204).send();
      },
    }),
  ];
}

async function bind(call: Call<Ends, unknown, BindingBody>, kind: Kind): Promise<unknown> {
  requireEnds(call);
  const { params, body, reply } = call;
  const binding: AmqpBinding = {
    source: exchangeIn(params.source),
    destination: params.destination,
    destinationType: kind,
    routingKey: body.routing_key,
    arguments: body.arguments,
  };
  await (await sideOf(call)).bind(binding);
  const letter = kind === 'queue' ? 'q' : 'e';
  const key = encodeURIComponent(propertiesKey(binding));
  return reply.status(201).header('location', `${letter}/${key}`).send();
}

function requireEnds({ params, require }: Call<Ends>): void {
  require('read', params.source);
  require('write', params.destination);
}

function between(side: AmqpVhostSide, kind: Kind, ends: Ends): AmqpBinding[] {
  const source = exchangeIn(ends.source);
  const { destination } = ends;
  if (source === '') {
    const isBound = kind === 'queue' && side.queue(destination) !== undefined;
    return isBound ? [defaultBinding(destination)] : [];
  }
  return side
    .bindings()
    .filter(
      (each) =>
        each.source === source && each.destination === destination && each.destinationType === kind,
    );
}

/** @throws ThingNotFoundError */
function bindingOf(
  side: AmqpVhostSide,
  kind: Kind,
  { properties, ...ends }: Ends & { readonly properties: string },
): AmqpBinding {
  const found = between(side, kind, ends).find((each) => hasPropertiesKey(each, properties));
  if (found !== undefined) return found;
  throw new ThingNotFoundError(
    'BINDING',
    `No binding from '${ends.source}' to '${ends.destination}' has the properties_key '${properties}'.`,
  );
}

/** Those of exchanges and queues that the caller may do something to. */
function bindingRows({ identity }: Call, side: AmqpVhostSide, vhost: string): Row[] {
  const own = side.queues().map((queue) => defaultBinding(queue.name));
  const seen = [
    ...own.filter(({ destination }) => sees(identity, vhost, destination)),
    ...side.bindings().filter(({ source }) => sees(identity, vhost, source)),
  ];
  return seen.map((binding) => bindingRow(binding, vhost));
}
