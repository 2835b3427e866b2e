import { UnauthenticatedError } from '../../../access/errors.ts';
import type { Identity } from '../../../access/identity.ts';
import { loginSchema, sessionSchema } from '../../../protocols/http/schemas/access.ts';
import type { BrokerContext } from '../context.ts';
import { defineRoute, type Route } from '../route.ts';
import { addressOf } from '../access-hooks.ts';
import { readSessionCookie, writeSessionCookie } from '../session-cookie.ts';

const common = { url: '/session', scope: 'global', tag: 'access' } as const;
const authenticated = { kind: 'authenticated' } as const;

export const sessionRoutes: readonly Route[] = [
  defineRoute({
    ...common,
    id: 'beginSession',
    method: 'POST',
    summary: 'Log in, for a browser',
    description:
      'Sets a cookie. Programs have no use for it: they send their credentials with each request.',
    rule: { kind: 'public' },
    body: loginSchema,
    responses: { 200: sessionSchema },
    problems: ['UNAUTHENTICATED', 'LOGIN_THROTTLED', 'OVERLOADED'],
    handler: async ({ broker, body, request, reply }) => {
      const { authenticator, sessions } = broker.access;
      const address = addressOf(request);
      const user = await authenticator.checkPassword(body.user, body.password, address);
      if (user === null) throw new UnauthenticatedError();
      const id = await sessions.begin(body.user, user);
      writeSessionCookie(request, reply, broker, id);
      void reply.header('cache-control', 'no-store');
      const { admin, permissions } = user;
      return describe({ kind: 'user', name: body.user, admin, permissions }, id, broker);
    },
  }),
  defineRoute({
    ...common,
    id: 'getSession',
    method: 'GET',
    summary: 'Who you are, and the token of your session',
    rule: authenticated,
    responses: { 200: sessionSchema },
    handler: ({ broker, identity, request, reply }) => {
      void reply.header('cache-control', 'no-store');
      const isCookie = request.headers.authorization === undefined;
      return describe(identity, isCookie ? readSessionCookie(request, broker) : undefined, broker);
    },
  }),
  defineRoute({
    ...common,
    id: 'endSession',
    method: 'DELETE',
    summary: 'Log out',
    rule: authenticated,
    responses: { 204: null },
    handler: async ({ broker, request, reply }) => {
      const id = readSessionCookie(request, broker);
      if (id !== undefined) await broker.access.sessions.end(id);
      writeSessionCookie(request, reply, broker, null);
      return reply.status(204).send();
    },
  }),
];

function describe(
  { kind, name, admin, permissions }: Identity,
  sessionId: string | undefined,
  { access }: BrokerContext,
): unknown {
  const session = sessionId === undefined ? null : access.sessions.find(sessionId);
  const { csrfToken = null, expiresAt = null } = session ?? {};
  return { identity: { kind, name, admin, permissions }, csrfToken, expiresAt };
}
