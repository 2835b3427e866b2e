import type { FastifyRequest } from 'fastify';
import { timingSafeEqual } from 'node:crypto';
import { CsrfError, ForbiddenError, UnauthenticatedError } from '../../access/errors.ts';
import type { Action, Identity } from '../../access/identity.ts';
import { isAllowed, mayEnter } from '../../access/permissions.ts';
import type { Session } from '../../access/sessions.ts';
import type { BrokerContext } from './context.ts';
import type { Route } from './route.ts';
import { readSessionCookie } from './session-cookie.ts';

const CSRF_HEADER = 'x-wherry-csrf';

/**
 * Finds out who makes a request and whether the route's rule lets them. Runs before the body is
 * read; sets `request.identity`.
 * @param vhost the virtual host that the path names, whether it exists or not
 * @throws UnauthenticatedError, ForbiddenError, CsrfError, HostNotAllowedError,
 *   OriginNotAllowedError, LoginThrottledError, PasswordsBusyError, StorageError
 */
export async function checkAccess(
  request: FastifyRequest,
  route: Route,
  vhost: string,
  broker: BrokerContext,
): Promise<void> {
  const isPublic = route.rule.kind === 'public';
  // What anybody may look at tells nothing.
  if (isPublic && route.method === 'GET') return;
  const authorization = shownBy(request, route, broker);
  checkProvenance(request, broker, authorization);
  if (isPublic) return;
  const sessionId = authorization === undefined ? readSessionCookie(request, broker) : undefined;
  const { authenticator, sessions } = broker.access;
  const remoteAddress = addressOf(request);
  const identity = await authenticator.authenticate({ authorization, sessionId, remoteAddress });
  if (identity === null || (identity.kind === 'anonymous' && isForwarded(request))) {
    throw new UnauthenticatedError();
  }
  const session = sessionId === undefined ? null : sessions.find(sessionId);
  if (session !== null) checkCsrf(request, session);
  request.identity = identity;
  checkRule(request, route, identity, vhost);
  await broker.vhosts.opened(vhost);
}

/** Of a proxy before us: what it says of others is not believed. */
export function addressOf({ socket }: FastifyRequest): string {
  return socket.remoteAddress ?? 'unknown';
}

/**
 * A proxy on this machine makes whoever reaches it local. One that says that it is a proxy lets nobody
 * in for that.
 */
function isForwarded({ headers }: FastifyRequest): boolean {
  return ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'].some((name) => name in headers);
}

/**
 * Programs written for RabbitMQ always show credentials, such as guest's. While nobody is configured
 * they are as good as none, and whoever shows them is held to all that holds for those who show none.
 */
function shownBy(
  { headers }: FastifyRequest,
  { scope }: Route,
  { access }: BrokerContext,
): string | undefined {
  return scope === 'management' && access.accounts.isEmpty ? undefined : headers.authorization;
}

function checkProvenance(
  { headers, method }: FastifyRequest,
  { access }: BrokerContext,
  authorization: string | undefined,
): void {
  const { host, origin } = headers;
  if (authorization === undefined) access.hosts.checkHost(host);
  const fetchSite = headers['sec-fetch-site'];
  const fetchMode = headers['sec-fetch-mode'];
  access.hosts.checkOrigin({ host, origin, fetchSite, fetchMode, method });
}

/** A browser adds the cookie to whatever a page asks for; the token only our own page knows. */
function checkCsrf({ method, headers }: FastifyRequest, { csrfToken }: Session): void {
  if (method === 'GET' || method === 'HEAD') return;
  const shown = Buffer.from(String(headers[CSRF_HEADER] ?? ''));
  const expected = Buffer.from(csrfToken);
  if (shown.length !== expected.length || !timingSafeEqual(shown, expected)) throw new CsrfError();
}

function checkRule(request: FastifyRequest, route: Route, identity: Identity, vhost: string): void {
  const { rule } = route;
  const refuse = (what: string): never => {
    throw new ForbiddenError(identity.name, what);
  };
  if (rule.kind === 'admin' && !identity.admin) refuse('administer the broker');
  const isInVhost = route.scope === 'vhost' || 'vhost' in (request.params as object);
  if (isInVhost && !mayEnter(identity, vhost)) {
    refuse(`enter the virtual host '${vhost}'`);
  }
  if (rule.kind !== 'resource') return;
  const name = (request.params as Record<string, string>)[rule.param]!;
  requireAction(identity, vhost, rule.action, name);
}

/** @throws ForbiddenError */
export function requireAction(
  identity: Identity,
  vhost: string,
  action: Action,
  name: string,
): void {
  if (!isAllowed(identity, vhost, action, name)) {
    throw new ForbiddenError(identity.name, `${action} '${name}' in the virtual host '${vhost}'`);
  }
}
