import { durationToMs } from 'wherry';
import * as z from 'zod';
import {
  newTokenSchema,
  tokenInputSchema,
  tokenParams,
  tokenSchema,
} from '../../../protocols/http/schemas/access.ts';
import { defineRoute, type Route } from '../route.ts';

const common = { scope: 'global', tag: 'access', rule: { kind: 'admin' } } as const;

export const tokenRoutes: readonly Route[] = [
  defineRoute({
    ...common,
    id: 'listTokens',
    method: 'GET',
    url: '/tokens',
    summary: 'The API tokens there are, without their secrets',
    responses: { 200: z.strictObject({ tokens: z.array(tokenSchema) }) },
    handler: ({ broker }) => ({ tokens: broker.access.accounts.listTokens() }),
  }),
  defineRoute({
    ...common,
    id: 'createToken',
    method: 'POST',
    url: '/tokens',
    summary: 'Create an API token',
    description: 'The answer has the secret. It is stored as a digest, and cannot be told again.',
    body: tokenInputSchema,
    responses: { 201: newTokenSchema },
    problems: ['NAME_TAKEN', 'LAST_ADMIN', 'ACCOUNT_READ_ONLY', 'LIMIT_REACHED'],
    handler: async ({ broker, body, reply }) => {
      const { name, admin, permissions, expiresIn = null } = body;
      const expiresAt =
        expiresIn === null ? null : Date.now() + durationToMs(expiresIn, 'expiresIn');
      const fields = { name, admin, permissions, expiresAt };
      const { token, secret } = await broker.access.accounts.createToken(fields);
      // Whatever stands between must not keep it.
      void reply.status(201).header('cache-control', 'no-store');
      return { ...token, secret };
    },
  }),
  defineRoute({
    ...common,
    id: 'deleteToken',
    method: 'DELETE',
    url: '/tokens/:token',
    summary: 'Delete an API token, by its name',
    params: tokenParams,
    responses: { 204: null },
    problems: ['TOKEN_NOT_FOUND', 'LAST_ADMIN', 'ACCOUNT_READ_ONLY'],
    handler: async ({ broker, params, reply }) => {
      await broker.access.accounts.removeToken(params.token);
      return reply.status(204).send();
    },
  }),
];
