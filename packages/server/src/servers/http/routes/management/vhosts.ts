import { ForbiddenError } from '../../../../access/errors.ts';
import { mayEnter } from '../../../../access/permissions.ts';
import { vhostParams } from '../../../../protocols/http/schemas/access.ts';
import { messageCounts, messageStats } from '../../../../protocols/management/definition-rows.ts';
import { type Row, rowSchema, rowsSchema } from '../../../../protocols/management/listing.ts';
import { vhostBody } from '../../../../protocols/management/requests.ts';
import { VhostNotFoundError } from '../../../../vhosts/errors.ts';
import { type BrokerContext, DEFAULT_VHOST } from '../../context.ts';
import { infosOf } from '../../queue-infos.ts';
import { defineRoute, type Route } from '../../route.ts';
import { MANAGEMENT, NODE } from './common.ts';

const admin = { kind: 'admin' } as const;
const one = { ...MANAGEMENT, url: '/vhosts/:name', params: vhostParams } as const;

export const managementVhostRoutes: readonly Route[] = [
  defineRoute({
    ...MANAGEMENT,
    id: 'managementVhosts',
    method: 'GET',
    url: '/vhosts',
    summary: 'The virtual hosts that you may enter',
    rule: { kind: 'authenticated' },
    responses: { 200: rowsSchema },
    handler: ({ broker, identity }) => {
      const names = broker.vhosts.names().filter((name) => mayEnter(identity, name));
      return Promise.all(names.map((name) => vhostRow(broker, name)));
    },
  }),
  defineRoute({
    ...one,
    id: 'managementVhost',
    method: 'GET',
    summary: 'A virtual host',
    rule: { kind: 'handler', why: 'whoever may enter it' },
    responses: { 200: rowSchema },
    problems: ['VHOST_NOT_FOUND'],
    handler: ({ broker, identity, params: { name } }) => {
      if (mayEnter(identity, name)) return vhostRow(broker, name);
      throw new ForbiddenError(identity.name, `enter the virtual host '${name}'`);
    },
  }),
  defineRoute({
    ...one,
    id: 'managementPutVhost',
    method: 'PUT',
    summary: 'Create a virtual host',
    rule: admin,
    body: vhostBody.prefault({}),
    responses: { 201: null, 204: null },
    problems: ['LIMIT_REACHED', 'CONFLICT', 'UNSUPPORTED'],
    handler: async ({ broker, params: { name }, body, reply }) => {
      // That one is always there.
      const isNew = name !== DEFAULT_VHOST && (await broker.vhosts.put(name, body));
      return reply.status(isNew ? 201 : 204).send();
    },
  }),
  defineRoute({
    ...one,
    id: 'managementDeleteVhost',
    method: 'DELETE',
    summary: 'Delete a virtual host with all it holds',
    rule: admin,
    responses: { 204: null },
    problems: ['VHOST_NOT_FOUND'],
    handler: async ({ broker, params: { name }, reply }) => {
      await broker.vhosts.remove(name, { force: true });
      return reply.status(204).send();
    },
  }),
];

async function vhostRow({ vhosts }: BrokerContext, name: string): Promise<Row> {
  const mq = await vhosts.opened(name);
  if (mq === undefined) throw new VhostNotFoundError(name);
  const description = vhosts.descriptionOf(name);
  const infos = await infosOf(
    mq,
    mq.listQueues().map((queue) => queue.name),
  );
  return {
    name,
    description,
    tags: [],
    metadata: { description, tags: [] },
    tracing: false,
    cluster_state: { [NODE]: 'running' },
    ...messageCounts(infos),
    message_stats: messageStats(infos),
  };
}
