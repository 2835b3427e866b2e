import * as z from 'zod';
import { ForbiddenError } from '../../../access/errors.ts';
import { mayEnter } from '../../../access/permissions.ts';
import {
  vhostInputSchema,
  vhostParams,
  vhostSchema,
} from '../../../protocols/http/schemas/access.ts';
import { flagSchema } from '../../../protocols/http/schemas/common.ts';
import { defineRoute, type Route } from '../route.ts';

const common = { scope: 'global', tag: 'access' } as const;
const admin = { kind: 'admin' } as const;

export const vhostRoutes: readonly Route[] = [
  defineRoute({
    ...common,
    id: 'listVhosts',
    method: 'GET',
    url: '/vhosts',
    summary: 'The virtual hosts that you may enter',
    rule: { kind: 'authenticated' },
    responses: { 200: z.strictObject({ vhosts: z.array(vhostSchema) }) },
    handler: async ({ broker, identity }) => {
      const names = broker.vhosts.names().filter((name) => mayEnter(identity, name));
      return { vhosts: await Promise.all(names.map((name) => broker.vhosts.describe(name))) };
    },
  }),
  defineRoute({
    ...common,
    id: 'getVhost',
    method: 'GET',
    url: '/vhosts/:name',
    summary: 'One virtual host',
    rule: { kind: 'handler', why: 'whoever may enter it' },
    params: vhostParams,
    responses: { 200: vhostSchema },
    problems: ['VHOST_NOT_FOUND'],
    handler: ({ broker, identity, params: { name } }) => {
      if (!mayEnter(identity, name)) {
        throw new ForbiddenError(identity.name, `enter the virtual host '${name}'`);
      }
      return broker.vhosts.describe(name);
    },
  }),
  defineRoute({
    ...common,
    id: 'putVhost',
    method: 'PUT',
    url: '/vhosts/:name',
    summary: 'Create or describe a virtual host',
    description: 'It has a store of its own beside that of the default one, and shares nothing.',
    rule: admin,
    params: vhostParams,
    body: vhostInputSchema.prefault({}),
    responses: { 200: vhostSchema, 201: vhostSchema },
    problems: ['LIMIT_REACHED', 'CONFLICT', 'UNSUPPORTED'],
    handler: async ({ broker, params: { name }, body, reply }) => {
      const isNew = await broker.vhosts.put(name, body);
      void reply.status(isNew ? 201 : 200);
      return broker.vhosts.describe(name);
    },
  }),
  defineRoute({
    ...common,
    id: 'deleteVhost',
    method: 'DELETE',
    url: '/vhosts/:name',
    summary: 'Delete a virtual host with all it holds',
    description: 'Refused while it holds messages, unless `force` is given.',
    rule: admin,
    params: vhostParams,
    query: z.strictObject({ force: flagSchema }),
    responses: { 204: null },
    problems: ['VHOST_NOT_FOUND', 'VHOST_NOT_EMPTY'],
    handler: async ({ broker, params, query, reply }) => {
      await broker.vhosts.remove(params.name, query);
      return reply.status(204).send();
    },
  }),
];
