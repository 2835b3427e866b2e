import type { FastifyInstance } from 'fastify';
import type { BrokerContext } from './context.ts';

/**
 * Writes who has administered what, or tried to, and from where passwords are guessed. Of a failed
 * login only the address: in the place of a name there may be a password.
 */
export function writeAudit(app: FastifyInstance, { access, telemetry }: BrokerContext): void {
  const { logger } = telemetry;
  access.authenticator.whenLoginFails((address) => logger.warn({ address }, 'A login failed'));
  app.addHook('onResponse', (request, reply, done) => {
    const { identity, method, routeOptions, url } = request;
    const { rule, id } = routeOptions.config.route ?? {};
    if (rule?.kind === 'admin' && method !== 'GET' && identity) {
      const { name, kind } = identity;
      const [path] = url.split('?', 1);
      logger.info({ by: name, kind, action: id, path, status: reply.statusCode }, 'Administered');
    }
    done();
  });
}
