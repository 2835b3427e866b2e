import { fastifyCookie as cookies } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BrokerContext } from './context.ts';

const PLAIN = 'wherry_session';
/** Browsers take it only from us, over TLS, for this very host. */
const SECURE = `__Host-${PLAIN}`;

/** @returns the id of the session whose cookie came */
export function readSessionCookie(
  request: FastifyRequest,
  broker: BrokerContext,
): string | undefined {
  const { cookie } = request.headers;
  if (cookie === undefined) return undefined;
  const found = cookies.parse(cookie);
  // Another server at this host name could set the plain one.
  return found[SECURE] ?? (broker.tls === undefined ? found[PLAIN] : undefined);
}

/** @param id null: the browser shall forget it */
export function writeSessionCookie(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { access }: BrokerContext,
  id: string | null,
): void {
  const secure = access.hosts.isSecure(headers.origin);
  const lifetime = id === null ? { maxAge: 0 } : {};
  const options = { path: '/', httpOnly: true, sameSite: 'strict', secure, ...lifetime } as const;
  void reply.header('set-cookie', cookies.serialize(secure ? SECURE : PLAIN, id ?? '', options));
}
