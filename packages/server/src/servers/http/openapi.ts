import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { problemSchema, statusOf } from '../../protocols/http/problem.ts';
import { pathOf, type ResponseBody, type Route, type Rule } from './route.ts';

type Json = Record<string, unknown>;

const PROBLEM = 'application/problem+json';

/** What every route may answer, whatever it does. */
const COMMON_PROBLEMS: readonly string[] = ['VALIDATION', 'OVERLOADED'];

const TAGS: Readonly<Record<string, string>> = {
  queues: 'Queues and their settings',
  messages: 'Send, receive, settle and look at messages',
  'dead letters': 'Messages that could not be handled',
  exchanges: 'Exchanges and bindings: where published messages go',
  schedules: 'Messages that are sent by the clock',
  consumers: 'Who receives, and who is connected',
  events: 'What happens, as it happens',
  broker: 'The broker itself',
  access: 'Users, tokens, sessions and virtual hosts',
  management: "A part of RabbitMQ's management API, for programs that were written for it",
};

/**
 * Describes the routes as OpenAPI 3.1, made of the schemas that check them.
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const schemas = new Schemas();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const isOurs = route.scope === 'vhost' || route.scope === 'global';
    const path = (isOurs ? route.url : pathOf(route)).replaceAll(/:(\w+)/g, '{$1}');
    const item = (paths[path] ??= serversOf(route));
    item[route.method.toLowerCase()] = operationOf(route, schemas);
  }
  const used = [...new Set(routes.map((route) => route.tag))];
  return {
    openapi: '3.1.0',
    info: {
      title: 'Wherry HTTP API',
      version,
      summary: 'Message queues over HTTP',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      { url: '/api/v1', description: 'The default virtual host' },
      {
        url: '/api/v1/vhosts/{vhost}',
        description: 'Another virtual host',
        variables: { vhost: { default: '%2F', description: 'Its name, percent-encoded' } },
      },
    ],
    security: [{ token: [] }, { password: [] }, { session: [] }],
    tags: used.map((name) => ({ name, ...(TAGS[name] && { description: TAGS[name] }) })),
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        password: { type: 'http', scheme: 'basic' },
        session: { type: 'apiKey', in: 'cookie', name: 'wherry_session' },
      },
      responses: { Problem: problemResponse('A problem', schemas) },
      schemas: schemas.components,
    },
  };
}

/** Paths that are not below a virtual host have a place of their own. */
function serversOf({ scope }: Route): Json {
  if (scope === 'vhost') return {};
  return { servers: [{ url: scope === 'global' ? '/api/v1' : '/' }] };
}

function operationOf(route: Route, schemas: Schemas): Json {
  const { id, tag, summary, rule } = route;
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [route.description, permissionOf(rule)].filter(Boolean).join('\n\n'),
    ...(rule.kind === 'public' && { security: [] }),
    ...parametersOf(route, schemas),
    ...requestBodyOf(route, schemas),
    responses: responsesOf(route, schemas),
  };
}

function permissionOf(rule: Rule): string {
  switch (rule.kind) {
    case 'public':
      return 'Needs no credentials.';
    case 'authenticated':
      return 'Needs credentials.';
    case 'admin':
      return 'Needs an administrator.';
    case 'vhost':
      return 'Needs any permission in the virtual host.';
    case 'resource':
      return `Needs \`${rule.action}\` on the ${rule.of}.`;
    case 'handler':
      return `What it needs depends on the request: ${rule.why}.`;
  }
}

function parametersOf(route: Route, schemas: Schemas): Json {
  const names = [...route.url.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const params = route.params === undefined ? null : schemas.propertiesOf(route.params);
  const path = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: params?.properties[name] ?? { type: 'string' },
  }));
  const asked = route.query === undefined ? null : schemas.propertiesOf(route.query);
  const query = Object.entries(asked?.properties ?? {}).map(([name, schema]) => {
    const { description, ...rest } = schema as Json;
    const required = asked!.required.includes(name);
    return {
      name,
      in: 'query',
      required,
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
  const headers = Object.entries(route.headers ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  const parameters = [...path, ...query, ...headers];
  return parameters.length === 0 ? {} : { parameters };
}

function requestBodyOf(route: Route, schemas: Schemas): Json {
  const { body, rawBody, rawMediaTypes = [] } = route;
  if (body === undefined && rawBody === undefined) return {};
  const content: Json = {};
  if (body !== undefined) content['application/json'] = { schema: schemas.of(body, 'input') };
  for (const mediaType of rawMediaTypes) {
    content[mediaType] = { schema: { type: 'string' } };
  }
  const isOptional = body?.safeParse(undefined).success === true;
  return { requestBody: { required: !isOptional, content } };
}

function responsesOf(route: Route, schemas: Schemas): Json {
  const responses: Json = {};
  for (const [status, body] of Object.entries(route.responses)) {
    responses[status] = responseOf(Number(status), body, schemas);
  }
  const codes = [...COMMON_PROBLEMS, ...(route.problems ?? [])];
  if (route.rule.kind !== 'public') codes.push('UNAUTHENTICATED', 'FORBIDDEN');
  for (const [status, some] of groupByStatus(codes)) {
    responses[status] ??= problemResponse(some.map((code) => `\`${code}\``).join(', '), schemas);
  }
  responses['default'] = { $ref: '#/components/responses/Problem' };
  return responses;
}

function groupByStatus(codes: readonly string[]): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const code of codes) {
    const status = statusOf(code);
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  101: 'The connection speaks WebSocket from now on.',
  200: 'Done.',
  201: 'Created.',
  204: 'Done; there is nothing to tell.',
};

function responseOf(status: number, body: ResponseBody, schemas: Schemas): Json {
  const description = DESCRIPTIONS[status] ?? 'See the body.';
  if (body === null) return { description };
  if (body instanceof z.ZodType) {
    return { description, content: { 'application/json': { schema: schemas.of(body, 'output') } } };
  }
  return { description, content: { [body.mediaType]: { schema: { type: 'string' } } } };
}

function problemResponse(description: string, schemas: Schemas): Json {
  return { description, content: { [PROBLEM]: { schema: schemas.of(problemSchema, 'output') } } };
}

/** JSON Schemas of zod's; those that have a name go into the document's components, once. */
class Schemas {
  readonly components: Record<string, unknown> = {};

  /** @throws Error when two schemas have one name */
  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const {
      $schema: _schema,
      $defs = {},
      ...rest
    } = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
    }) as Json;
    for (const [name, definition] of Object.entries($defs as Json)) {
      const moved = relocated(definition);
      const present = (this.components[name] ??= moved);
      if (!isDeepStrictEqual(present, moved)) {
        throw new Error(`Two schemas are named '${name}'.`);
      }
    }
    return relocated(rest) as Json;
  }

  /** Of an object: what a request gives. */
  propertiesOf(schema: z.ZodType): { readonly properties: Json; readonly required: string[] } {
    const { properties = {}, required = [] } = this.of(schema, 'input');
    return { properties: properties as Json, required: required as string[] };
  }
}

const LOCAL = /^#\/\$defs\//;

/** With references into the document's components. */
function relocated(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(LOCAL, '#/components/schemas/');
  if (Array.isArray(value)) return value.map(relocated);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, relocated(one)]));
}
