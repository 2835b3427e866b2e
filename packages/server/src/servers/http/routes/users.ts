import * as z from 'zod';
import { userInputSchema, userParams, userSchema } from '../../../protocols/http/schemas/access.ts';
import { checkPasswordHash } from '../../../access/passwords.ts';
import { defineRoute, type Route } from '../route.ts';

const common = { scope: 'global', tag: 'access', rule: { kind: 'admin' } } as const;

export const userRoutes: readonly Route[] = [
  defineRoute({
    ...common,
    id: 'listUsers',
    method: 'GET',
    url: '/users',
    summary: 'The users there are',
    responses: { 200: z.strictObject({ users: z.array(userSchema) }) },
    handler: ({ broker }) => ({ users: broker.access.accounts.listUsers() }),
  }),
  defineRoute({
    ...common,
    id: 'getUser',
    method: 'GET',
    url: '/users/:user',
    summary: 'One user',
    params: userParams,
    responses: { 200: userSchema },
    problems: ['USER_NOT_FOUND'],
    handler: ({ broker, params }) => broker.access.accounts.describeUser(params.user),
  }),
  defineRoute({
    ...common,
    id: 'putUser',
    method: 'PUT',
    url: '/users/:user',
    summary: 'Create or change a user',
    description:
      'The first user must be an administrator: from then on everybody needs credentials. ' +
      'Another password ends the sessions of its user.',
    params: userParams,
    body: userInputSchema,
    responses: { 200: userSchema, 201: userSchema },
    problems: ['LAST_ADMIN', 'ACCOUNT_READ_ONLY', 'LIMIT_REACHED', 'OVERLOADED'],
    handler: async ({ broker, params, body, reply }) => {
      if (body.passwordHash !== undefined) checkPasswordHash(body.passwordHash);
      const { user, isNew } = await broker.access.accounts.putUser(params.user, body);
      void reply.status(isNew ? 201 : 200);
      return user;
    },
  }),
  defineRoute({
    ...common,
    id: 'deleteUser',
    method: 'DELETE',
    url: '/users/:user',
    summary: 'Delete a user',
    params: userParams,
    responses: { 204: null },
    problems: ['USER_NOT_FOUND', 'LAST_ADMIN', 'ACCOUNT_READ_ONLY'],
    handler: async ({ broker, params, reply }) => {
      await broker.access.accounts.removeUser(params.user);
      return reply.status(204).send();
    },
  }),
];
