import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { WebSocket } from '@fastify/websocket';
import { Readable } from 'node:stream';
import type { MessageQueueSystem } from 'wherry';
import type * as z from 'zod';
import type { Identity } from '../../access/identity.ts';
import { isAllowed } from '../../access/permissions.ts';
import {
  MethodNotAllowedError,
  UnsupportedMediaTypeError,
  UpgradeRequiredError,
} from '../../protocols/http/errors.ts';
import { parse } from '../../protocols/http/mistakes.ts';
import { VhostNotFoundError } from '../../vhosts/errors.ts';
import { checkAccess, requireAction } from './access-hooks.ts';
import { refuseIfAlarmed } from './alarmed.ts';
import { JSON_TYPE, checkLength, closeUnlessRead, declaredLength, parseBodies } from './body.ts';
import { whenOver } from './client-gone.ts';
import { type BrokerContext, DEFAULT_VHOST } from './context.ts';
import { requireUnlocked, usesQueue } from './locked-queues.ts';
import { BASE, type Call, type Method, pathOf, type Route } from './route.ts';
import { ROUTES } from './route-table.ts';
import type { Services } from './services.ts';
import { traceRequest } from './trace-request.ts';

/** RFC 6455, 7.4.1. */
const POLICY_VIOLATION = 1008;
/** On routes that anybody may call. */
const NOBODY: Identity = { kind: 'anonymous', name: 'nobody', admin: false, permissions: [] };
const METHODS: readonly Method[] = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'];

/** Registers every route of the table, and an answer to the methods that a path does not have. */
export async function addRoutes(
  app: FastifyInstance,
  broker: BrokerContext,
  services: Services,
): Promise<void> {
  for (const raw of [undefined, 'bytes', 'stream'] as const) {
    await app.register(async (scope) => {
      parseBodies(scope, services, raw);
      for (const route of ROUTES) {
        if (route.rawBody === raw) addRoute(scope, route, broker, services);
      }
    });
  }
  for (const [url, methods] of methodsByUrl()) tellMethods(app, url, methods);
}

/**
 * Refuses to start with a route that is not in the table: it would have no rule.
 * @param app the instance that registers the route; the one that serves files has rules of its own
 */
export function checkRoute(app: FastifyInstance, options: RouteOptions): void {
  const { route, onlyTellsMethods } = options.config ?? {};
  if (app.hasDecorator('servesFiles') || onlyTellsMethods === true) return;
  if (route === undefined || !ROUTES.includes(route)) {
    throw new Error(`Route ${String(options.method)} ${options.url} is not in the route table.`);
  }
}

/** The paths at which a route is found, as the framework writes them. */
function urlsOf(route: Route): string[] {
  const path = pathOf(route);
  return route.scope === 'vhost' ? [path, `${BASE}/vhosts/:vhost${route.url}`] : [path];
}

function methodsByUrl(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const route of ROUTES) {
    const methods = hasHead(route) ? [route.method, 'HEAD'] : [route.method];
    for (const url of urlsOf(route)) found.set(url, [...(found.get(url) ?? []), ...methods]);
  }
  return found;
}

/** What never ends has no head by itself. */
function hasHead({ method, connect, responses }: Route): boolean {
  const isEndless = Object.values(responses).some(
    (body) => body !== null && 'mediaType' in body && body.mediaType === 'text/event-stream',
  );
  return method === 'GET' && connect === undefined && !isEndless;
}

function tellMethods(app: FastifyInstance, url: string, allowed: readonly string[]): void {
  const config = { onlyTellsMethods: true };
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    config,
    handler: (request) => {
      throw new MethodNotAllowedError(request.method, allowed);
    },
    // The body, if there is one, is of no interest.
    onRequest: (request, _reply, done) => done(new MethodNotAllowedError(request.method, allowed)),
  });
  app.route({
    method: 'OPTIONS',
    url,
    config,
    handler: (request) => {
      throw new MethodNotAllowedError(request.method, allowed);
    },
    // As above: it is answered before a body is read.
    onRequest: async (request, reply) => {
      closeUnlessRead(request, reply);
      return reply.status(204).header('allow', allowed.join(', ')).send();
    },
  });
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  broker: BrokerContext,
  services: Services,
): void {
  const { method, handler, connect } = route;
  for (const url of urlsOf(route)) {
    app.route({
      method,
      url,
      config: { route },
      exposeHeadRoute: hasHead(route),
      onRequest: async (request) => {
        const vhost = vhostOf(request);
        await checkAccess(request, route, vhost, broker);
        const mq = systemOf(vhost, broker);
        const { rule } = route;
        if (rule.kind === 'resource' && rule.of === 'queue' && method !== 'PUT') {
          await services.lateQueues.know(mq, queueOf(request, route));
        }
        if (route.scope !== 'management' && usesQueue(route)) {
          requireUnlocked(mq, request.identity!, queueOf(request, route));
        }
        if (route.takesMessages === true) refuseIfAlarmed(broker);
        holdBody(request, route, services);
      },
      handler: (request, reply) => {
        if (handler === undefined) throw new UpgradeRequiredError();
        // It may go on for as long as the client likes.
        if (route.rawBody === 'stream') {
          const stop = broker.access.whenRevoked(request.identity!, () => request.raw.destroy());
          whenOver(reply, stop);
        }
        const handle = (): unknown => handler(callOf(request, reply, route, broker, services));
        return broker.config.tracing ? traceRequest(request, reply, handle) : handle();
      },
      ...(connect !== undefined && {
        // What is wrong is answered before the upgrade: afterwards there are no statuses.
        preHandler: async (request: FastifyRequest, reply: FastifyReply) => {
          request.call = callOf(request, reply, route, broker, services);
          route.check?.(request.call);
        },
        wsHandler: (socket: WebSocket, request: FastifyRequest) => {
          const call = request.call!;
          const revoked = new AbortController();
          const stop = broker.access.whenRevoked(call.identity, () => {
            revoked.abort();
            socket.close(POLICY_VIOLATION, 'Your rights have changed: connect again.');
          });
          socket.once('close', stop);
          return connect(call, socket, revoked.signal);
        },
      }),
    });
  }
}

function queueOf({ params }: FastifyRequest, { rule }: Route): string {
  return rule.kind === 'resource' ? (params as Record<string, string>)[rule.param]! : '';
}

/** @throws UnsupportedMediaTypeError, TooLargeError, OverloadedError before the body is read */
function holdBody(request: FastifyRequest, route: Route, { limits }: Services): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new UnsupportedMediaTypeError(
      `Content-Encoding '${encoding}' is not taken: a small body could become a huge one. Send it plain.`,
    );
  }
  const length = declaredLength(request) ?? 0;
  if (length === 0 || route.rawBody === 'stream') return;
  checkLength(request, length, limits);
  request.heldBytes.hold(length);
}

function vhostOf(request: FastifyRequest): string {
  const { vhost = DEFAULT_VHOST } = request.params as { vhost?: string };
  return vhost;
}

/** Asked again when the body is there: it may be deleted meanwhile. @throws VhostNotFoundError */
function systemOf(vhost: string, { vhosts }: BrokerContext): MessageQueueSystem {
  const system = vhosts.find(vhost);
  if (system === undefined) throw new VhostNotFoundError(vhost);
  return system;
}

/** Checks what came against the route's schemas. @throws InvalidRequestError, VhostNotFoundError */
function callOf(
  request: FastifyRequest,
  reply: FastifyReply,
  route: Route,
  broker: BrokerContext,
  services: Services,
): Call {
  const identity = request.identity ?? NOBODY;
  const vhost = vhostOf(request);
  return {
    request,
    reply,
    params: route.params === undefined ? request.params : paramsOf(request, route.params),
    query: route.query === undefined ? {} : parse(route.query, request.query, 'query'),
    body: bodyOf(request, route),
    identity,
    vhost,
    mq: systemOf(vhost, broker),
    broker,
    services,
    require: (action, name) => requireAction(identity, vhost, action, name),
    allows: (action, name) => isAllowed(identity, vhost, action, name),
  };
}

function paramsOf(request: FastifyRequest, schema: z.ZodType): unknown {
  const { vhost: _vhost, ...params } = request.params as Record<string, string>;
  return parse(schema, params, 'path');
}

function bodyOf({ body, headers }: FastifyRequest, route: Route): unknown {
  if (route.rawBody !== undefined && isRaw(body)) return body;
  const type = headers['content-type'] ?? '';
  const isEmpty = route.rawBody === 'bytes' && body === undefined && type !== '';
  if (isEmpty && !JSON_TYPE.test(type)) return Buffer.alloc(0);
  return route.body === undefined ? body : parse(route.body, body, 'body');
}

function isRaw(body: unknown): boolean {
  return body instanceof Uint8Array || body instanceof Readable;
}
