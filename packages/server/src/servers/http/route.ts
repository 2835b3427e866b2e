import type { WebSocket } from '@fastify/websocket';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MessageQueueSystem } from 'wherry';
import type * as z from 'zod';
import type { Action, Identity } from '../../access/identity.ts';
import type { RawBody } from './body.ts';
import type { BrokerContext } from './context.ts';
import type { Held } from './in-flight.ts';
import type { Services } from './services.ts';

/** Of our own API. */
export const BASE = '/api/v1';
/** Of the one that is RabbitMQ's. */
const MANAGEMENT_BASE = '/api';

/** Who may call a route. A route without a rule does not exist: the application refuses to start. */
export type Rule =
  /** Anybody, without credentials. */
  | { readonly kind: 'public' }
  /** Any identity. */
  | { readonly kind: 'authenticated' }
  | { readonly kind: 'admin' }
  /** Whoever has any permission in the virtual host. */
  | { readonly kind: 'vhost' }
  /** Whoever may do `action` to the name in the path parameter `param`. */
  | {
      readonly kind: 'resource';
      readonly action: Action;
      readonly of: 'queue' | 'exchange';
      readonly param: string;
    }
  /** The names stand in the body or in the store: the handler asks with `require`. */
  | { readonly kind: 'handler'; readonly why: string };

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/** One request to a route, checked. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly params: Params;
  readonly query: Query;
  /** Checked; a `Buffer` or a stream where the route takes one (`rawBody`) and it is not JSON. */
  readonly body: Body;
  readonly identity: Identity;
  /** The virtual host's name; routes that name none have the default one. */
  readonly vhost: string;
  readonly mq: MessageQueueSystem;
  readonly broker: BrokerContext;
  readonly services: Services;
  /** @throws ForbiddenError unless the identity may do `action` to `name` in the virtual host */
  readonly require: (action: Action, name: string) => void;
  /** Whether the identity may do `action` to `name` in the virtual host. */
  readonly allows: (action: Action, name: string) => boolean;
}

/** The body of a response: its schema, a media type that is no JSON, or null for none. */
export type ResponseBody = z.ZodType | { readonly mediaType: string } | null;

/** A route: the one source for validation, authorisation and documentation. */
export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
> {
  /** Unique; what generated clients call it. */
  readonly id: string;
  readonly method: Method;
  /** Below the base: `/queues/:queue`. */
  readonly url: string;
  /**
   * 'vhost': below `/api/v1` and `/api/v1/vhosts/:vhost`; 'global': below `/api/v1`; 'management': below
   * `/api`, in the virtual host that it has as parameter `vhost`; 'root': as it is.
   */
  readonly scope: 'vhost' | 'global' | 'management' | 'root';
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly rule: Rule;
  /** Each path parameter; left out: texts. */
  readonly params?: Params;
  readonly query?: Query;
  /** With a default it may be left out. */
  readonly body?: Body;
  /** Bodies that are not JSON are taken too: read whole, or handed to the handler unread. */
  readonly rawBody?: RawBody;
  /** Of raw bodies, for the documentation. */
  readonly rawMediaTypes?: readonly string[];
  /** It only tells of a queue: one that is exclusive to a connection of AMQP, too. */
  readonly opensLocked?: true;
  /** It stores messages of its caller: while an alarm lasts it is refused. */
  readonly takesMessages?: true;
  /** Throws what is wrong with a request before the upgrade, beside its schemas. */
  readonly check?: (call: Call<z.output<Params>, z.output<Query>>) => void;
  /** Headers of the request that mean something, and what. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Handles the connection after the upgrade, instead of `handler`. `revoked` fires when the caller's
   * rights have changed and the connection begins to close for it.
   */
  readonly connect?: (
    call: Call<z.output<Params>, z.output<Query>>,
    socket: WebSocket,
    revoked: AbortSignal,
  ) => void | Promise<void>;
  /** By status. */
  readonly responses: Readonly<Record<number, ResponseBody>>;
  /** Stable codes of the errors that are peculiar to this route. */
  readonly problems?: readonly string[];
  /** What it returns is the response's body, unless it has sent one itself. */
  readonly handler?: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>>) => unknown;
}

/** Types a route's handler by its schemas. */
export function defineRoute<
  Params extends z.ZodType = z.ZodType<object>,
  Query extends z.ZodType = z.ZodType<object>,
  Body extends z.ZodType = z.ZodType<undefined>,
>(route: Route<Params, Query, Body>): Route {
  return route;
}

/** Where a route is found, apart from those below a virtual host: they have another place each. */
export function pathOf({ scope, url }: Pick<Route, 'scope' | 'url'>): string {
  return scope === 'root' ? url : (scope === 'management' ? MANAGEMENT_BASE : BASE) + url;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who makes it; set before the body is read; null: nobody that is known. */
    identity: Identity | null;
    /** What is counted in flight for it. */
    heldBytes: Held;
    /** Of a WebSocket, between the checks and the upgrade. */
    call: Call | null;
  }
  interface FastifyContextConfig {
    /** Of the route table. */
    route?: Route;
    /** Says which methods the path has; no route of its own. */
    onlyTellsMethods?: boolean;
  }
}
