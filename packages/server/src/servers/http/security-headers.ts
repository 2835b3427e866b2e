import type { FastifyInstance } from 'fastify';
import type { HostPolicy } from '../../access/hosts.ts';

/**
 * The dashboard runs its own files and talks to its own broker; nothing else is let in. Answers of
 * the API have it too: a payload that is opened as a page runs nothing.
 */
const CONTENT_SECURITY_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Made once: they are the same on every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // For browsers that do not know frame-ancestors.
  'x-frame-options': 'DENY',
};

const YEAR_S = 365 * 24 * 60 * 60;

/** Sets what tells browsers to be careful, and lets pages of allowed origins read answers. */
export function addSecurityHeaders(app: FastifyInstance, hosts: HostPolicy, tls: boolean): void {
  const headers = {
    ...HEADERS,
    ...(tls && { 'strict-transport-security': `max-age=${YEAR_S}` }),
  };
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(headers);
    const { origin } = request.headers;
    if (origin !== undefined && hosts.isAllowedOrigin(origin)) {
      void reply.headers({
        // Without credentials: the session's cookie is for our own pages.
        'access-control-allow-origin': origin,
        'access-control-expose-headers': '*',
        vary: 'Origin',
      });
      const asked = request.headers['access-control-request-headers'];
      if (request.method === 'OPTIONS') {
        void reply.headers({
          'access-control-allow-methods': 'GET, PUT, POST, PATCH, DELETE',
          'access-control-allow-headers': asked ?? '',
          'access-control-max-age': '600',
        });
      }
    }
    done();
  });
}
