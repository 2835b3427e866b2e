import type { FastifyInstance } from 'fastify';
import type { BrokerContext } from './context.ts';
import type { Services } from './services.ts';

/** Measures every request, and writes those that the configuration asks for. */
export function observeRequests(
  app: FastifyInstance,
  { config, telemetry }: BrokerContext,
  services: Services,
): void {
  const { metrics } = telemetry;
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url, routeOptions, log } = request;
    const { statusCode: status, elapsedTime } = reply;
    metrics.observeRequest(method, routeOptions.url ?? 'none', status, elapsedTime / 1_000);
    const ms = Math.round(elapsedTime * 10) / 10;
    const record = { method, path: url.split('?', 1)[0], status, ms };
    if (config.log.requests) log.info(record, 'Request');
    else log.debug(record, 'Request');
    done();
  });
  app.addHook('onError', (_request, _reply, error, done) => {
    telemetry.countError(error);
    done();
  });
  metrics.watch(
    'http_long_polls',
    'Receives that wait for a message',
    () => services.longPolls.held,
  );
  metrics.watch(
    'http_bytes_in_flight',
    'Bytes of bodies that are being worked on',
    () => services.bytes.held,
  );
}
