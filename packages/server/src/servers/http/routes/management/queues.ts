import { QueueNotFoundError } from 'wherry';
import { deadLetterTarget } from '../../../../access/permissions.ts';
import type { AmqpVhostSide } from '../../../../protocols/management/amqp-side.ts';
import {
  bindingRow,
  defaultBinding,
  queueRow,
} from '../../../../protocols/management/definition-rows.ts';
import { type Row, rowSchema, rowsSchema } from '../../../../protocols/management/listing.ts';
import { messageRow } from '../../../../protocols/management/message-rows.ts';
import {
  deletionQuery,
  getBody,
  namedParams,
  queueBody,
} from '../../../../protocols/management/requests.ts';
import { countFitting } from '../../fitting.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { MANAGEMENT, may, NODE, queueInfos, sees, sideOf } from './common.ts';
import { listRoutes } from './lists.ts';

const one = { ...MANAGEMENT, url: '/queues/:vhost/:name', params: namedParams } as const;

const GET_MODES = {
  ack_requeue_true: 'requeue',
  ack_requeue_false: 'acknowledge',
  reject_requeue_true: 'requeue',
  reject_requeue_false: 'reject',
} as const;

export const managementQueueRoutes: readonly Route[] = [
  ...listRoutes('Queues', queueRows),
  defineRoute({
    ...one,
    id: 'managementQueue',
    method: 'GET',
    summary: 'A queue',
    rule: may('read', 'queue'),
    responses: { 200: rowSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async (call) => {
      const { name } = call.params;
      const queue = (await sideOf(call)).queue(name);
      if (queue === undefined) throw new QueueNotFoundError(name);
      const info = await call.mq.getQueueInfo(name);
      return queueRow({ queue, info, vhost: call.vhost, node: NODE });
    },
  }),
  defineRoute({
    ...one,
    id: 'managementPutQueue',
    method: 'PUT',
    summary: 'Declare a queue, with arguments as in AMQP',
    rule: may('configure', 'queue'),
    body: queueBody.prefault({}),
    responses: { 201: null, 204: null },
    handler: async (call) => {
      const { params, body, reply, require } = call;
      const { durable, auto_delete: autoDelete, arguments: table } = body;
      const side = await sideOf(call);
      const { name } = params;
      const declared = { name, durable, autoDelete, arguments: table };
      const isNew = await side.declareQueue(declared, () => {
        const exchange = table['x-dead-letter-exchange'];
        if (typeof exchange !== 'string') return;
        const key = table['x-dead-letter-routing-key'];
        require('read', name);
        require('write', deadLetterTarget(exchange, typeof key === 'string' ? key : null));
      });
      return reply.status(isNew ? 201 : 204).send();
    },
  }),
  defineRoute({
    ...one,
    id: 'managementDeleteQueue',
    method: 'DELETE',
    summary: 'Delete a queue with its messages',
    rule: may('configure', 'queue'),
    query: deletionQuery,
    responses: { 204: null },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async (call) => {
      const { 'if-unused': ifUnused, 'if-empty': ifEmpty } = call.query;
      await (await sideOf(call)).deleteQueue(call.params.name, { ifUnused, ifEmpty });
      return call.reply.status(204).send();
    },
  }),
  defineRoute({
    ...one,
    url: `${one.url}/contents`,
    id: 'managementPurgeQueue',
    method: 'DELETE',
    summary: 'Remove the messages of a queue that nobody has in hand',
    rule: may('read', 'queue'),
    responses: { 204: null },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async (call) => {
      await (await sideOf(call)).purgeQueue(call.params.name);
      return call.reply.status(204).send();
    },
  }),
  defineRoute({
    ...one,
    url: `${one.url}/bindings`,
    id: 'managementQueueBindings',
    method: 'GET',
    summary: 'The bindings of a queue',
    rule: may('read', 'queue'),
    responses: { 200: rowsSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: async (call) => {
      const { name } = call.params;
      const side = await sideOf(call);
      if (side.queue(name) === undefined) throw new QueueNotFoundError(name);
      const bindings = side
        .bindings()
        .filter((binding) => binding.destinationType === 'queue' && binding.destination === name);
      return [defaultBinding(name), ...bindings].map((binding) => bindingRow(binding, call.vhost));
    },
  }),
  defineRoute({
    ...one,
    url: `${one.url}/get`,
    id: 'managementGetMessages',
    method: 'POST',
    summary: 'Look at messages at the head of a queue',
    description:
      'They are taken, and given back as redelivered, unless `ackmode` says otherwise. At least one is ' +
      'shown, and no more than a response may hold.',
    rule: may('read', 'queue'),
    body: getBody,
    responses: { 200: rowsSchema },
    problems: ['QUEUE_NOT_FOUND'],
    handler: (call) => getMessages(call),
  }),
];

/** Those that the caller may do something to. */
async function queueRows(
  { broker, identity }: Call,
  side: AmqpVhostSide,
  vhost: string,
): Promise<Row[]> {
  const queues = side.queues().filter(({ name }) => sees(identity, vhost, name));
  const byName = new Map(queues.map((queue) => [queue.name, queue]));
  const infos = await queueInfos(broker, vhost, [...byName.keys()]);
  return infos.map((info) => queueRow({ queue: byName.get(info.name)!, info, vhost, node: NODE }));
}

type GetCall = Call<{ name: string }, unknown, ReturnType<typeof getBody.parse>>;

async function getMessages(call: GetCall): Promise<Row[]> {
  const { body, services, reply, mq } = call;
  const { name } = call.params;
  const { encoding, truncate = Infinity } = body;
  const bytesMax = services.limits.bodyBytes;
  services.bytes.check();
  const side = await sideOf(call);
  const count = await countFitting(mq, name, body.count, bytesMax);
  // Asked before: what goes wrong afterwards would lose what was taken out.
  const { ready } = await mq.getQueueInfo(name);
  const messages = await side.get(name, { count, bytesMax, mode: GET_MODES[body.ackmode] });
  services.holdFor(
    reply,
    messages.reduce((sum, { payload }) => sum + payload.length, 0),
  );
  return messages.map((message, i) =>
    messageRow(message, { encoding, truncate, behind: Math.max(0, ready - 1 - i) }),
  );
}
