import websocket from '@fastify/websocket';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { RouteNotFoundError } from '../../protocols/http/errors.ts';
import { problemOf } from '../../protocols/http/problem.ts';
import { refusalOf } from '../../protocols/management/errors.ts';
import { writeAudit } from './audit.ts';
import { closeUnlessRead, parseNoBodies } from './body.ts';
import { answerClientErrors } from './client-errors.ts';
import { whenOver } from './client-gone.ts';
import type { BrokerContext } from './context.ts';
import type { BrokerLimits } from '../../config/config.ts';
import { Held } from './in-flight.ts';
import { openApiDocument } from './openapi.ts';
import { addRoutes, checkRoute } from './register.ts';
import { addSecurityHeaders } from './security-headers.ts';
import { ROUTES } from './route-table.ts';
import { makeServices } from './services.ts';
import { serveStaticFiles } from './static-files.ts';
import { observeRequests } from './telemetry-hooks.ts';

/** Longest name in a path: 255 bytes, each percent-encoded. */
const PARAM_LENGTH_MAX = 3 * 255;
const REQUEST_ID = /^[\w.:-]{1,64}$/;
/** A frame of a WebSocket that holds more is refused before it is read. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024;

/** The HTTP server of a broker, not listening yet. */
export function createApp(broker: BrokerContext): FastifyInstance {
  const closing = new AbortController();
  // As many listen as there are requests that wait.
  setMaxListeners(0, closing.signal);
  const { limits } = broker.config;
  const app = makeServer(broker, limits);
  app.server.maxConnections = limits.connections;
  app.decorateRequest('identity');
  app.decorateRequest('heldBytes');
  app.decorateRequest('call');
  const openApi = lazily(() => JSON.stringify(openApiDocument(ROUTES, broker.version)));
  const services = makeServices(app, limits, { closing: closing.signal, openApi });
  app.addHook('onRequest', (request, reply, done) => {
    const held = new Held(services.bytes);
    request.heldBytes = held;
    // It comes even when the client goes first, which no hook is told.
    whenOver(reply, () => held.release());
    void reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('preClose', async () => {
    closing.abort();
    // Its connections are WebSockets, which the server would wait for.
    await services.storeHosts.close();
  });
  observeRequests(app, broker, services);
  broker.vhosts.beforeClose((system) => services.storeHosts.forget(system));
  writeAudit(app, broker);
  addSecurityHeaders(app, broker.access.hosts, broker.tls !== undefined);
  parseNoBodies(app);
  app.addHook('onRequest', (request, _reply, done) => {
    // The body, if there is one, is of no interest.
    done(request.is404 ? new RouteNotFoundError(pathOf(request)) : undefined);
  });
  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request) => {
    throw new RouteNotFoundError(pathOf(request));
  });
  app.addHook('onRoute', function check(options) {
    checkRoute(this, options);
  });
  void app.register(websocket, { options: { maxPayload: FRAME_BYTES_MAX } });
  void app.register((scope) => addRoutes(scope, broker, services));
  if (!broker.config.dashboard) return app;
  void app.register(async (scope) => {
    scope.decorate('servesFiles', true);
    await serveStaticFiles(scope, broker);
  });
  return app;
}

function makeServer(broker: BrokerContext, limits: BrokerLimits): FastifyInstance {
  const options = {
    ...(broker.logger === undefined ? {} : { loggerInstance: broker.logger }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    bodyLimit: limits.bodyBytes,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // Streams take as long as they take: bodies that are read whole have a time of their own.
    requestTimeout: 0,
    exposeHeadRoutes: false,
    return503OnClosing: true,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    frameworkErrors: sendProblem,
    clientErrorHandler: answerClientErrors(limits),
  };
  const http = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: Math.min(30_000, Math.ceil(limits.headersTimeoutMs / 4)),
  };
  return broker.tls === undefined
    ? Fastify({ ...options, http })
    : Fastify({ ...options, https: { ...http, ...broker.tls } });
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** The client's own, if it is one that a log can hold. */
function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0]!;
}

function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { problem, headers } = problemOf(error, request.id);
  if (problem.status >= 500) request.log.error({ err: error }, problem.title);
  closeUnlessRead(request, reply);
  const isManagement = request.routeOptions.config.route?.scope === 'management';
  void reply
    .status(problem.status)
    .headers(headers)
    .type(isManagement ? 'application/json' : 'application/problem+json')
    .send(JSON.stringify(isManagement ? { ...problem, ...refusalOf(problem) } : problem));
}
