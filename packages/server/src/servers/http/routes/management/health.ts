import { TLSSocket } from 'node:tls';
import * as z from 'zod';
import { requireAction } from '../../access-hooks.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { askStores } from '../operations.ts';
import { listening } from './overview.ts';
import { MANAGEMENT, sideOf } from './common.ts';

const any = { ...MANAGEMENT, method: 'GET', rule: { kind: 'authenticated' } } as const;

const checkSchema = z.looseObject({ status: z.string() });
const OK = { status: 'ok' };

/** Days, for the most part. */
const UNIT_MS: Readonly<Record<string, number>> = {
  days: 86_400_000,
  weeks: 7 * 86_400_000,
  months: 30 * 86_400_000,
  years: 365 * 86_400_000,
};

const ALIVENESS_QUEUE = 'aliveness-test';

export const managementHealthRoutes: readonly Route[] = [
  storesRoute('/healthchecks/node', 'managementNodeHealth', 'Whether the stores answer'),
  storesRoute('/health/checks/virtual-hosts', 'managementVhostHealth', 'Whether the stores answer'),
  alarmsRoute('/health/checks/alarms', 'managementAlarms'),
  alarmsRoute('/health/checks/local-alarms', 'managementLocalAlarms'),
  passedRoute(
    '/health/checks/node-is-mirror-sync-critical',
    'managementMirrorHealth',
    'Passes: the broker has no others that must keep up with it',
  ),
  passedRoute(
    '/health/checks/node-is-quorum-critical',
    'managementQuorumHealth',
    'Passes: the broker has no others that must keep up with it',
  ),
  defineRoute({
    ...any,
    id: 'managementPortListener',
    url: '/health/checks/port-listener/:port',
    summary: 'Whether the broker listens on a port',
    params: z.strictObject({ port: z.coerce.number().int() }),
    responses: { 200: checkSchema, 503: checkSchema },
    handler: (call) => {
      const { port } = call.params;
      const ports = listening(call).map((each) => each.port);
      return ports.includes(port)
        ? { ...OK, port }
        : failed(call, { reason: 'No active listener', missing: port, ports });
    },
  }),
  defineRoute({
    ...any,
    id: 'managementProtocolListener',
    url: '/health/checks/protocol-listener/:protocol',
    summary: 'Whether the broker speaks a protocol: amqp091, amqp, amqps, http, https',
    params: z.strictObject({ protocol: z.string().max(50) }),
    responses: { 200: checkSchema, 503: checkSchema },
    handler: (call) => {
      const { protocol } = call.params;
      const aliases: Readonly<Record<string, string>> = {
        'amqp0.9.1': 'amqp',
        amqp091: 'amqp',
        amqps: 'amqp/ssl',
      };
      const name = Object.hasOwn(aliases, protocol) ? aliases[protocol] : protocol;
      const protocols = listening(call).map((each) => each.protocol);
      return protocols.some((each) => each === name)
        ? { ...OK, protocol: name }
        : failed(call, { reason: 'No active listener', missing: protocol, protocols });
    },
  }),
  defineRoute({
    ...any,
    id: 'managementCertificates',
    url: '/health/checks/certificate-expiration/:within/:unit',
    summary: "Whether the broker's certificate is good for so many days, weeks, months or years",
    params: z.strictObject({
      within: z.coerce.number().int().min(0),
      unit: z.enum(['days', 'weeks', 'months', 'years']),
    }),
    responses: { 200: checkSchema, 503: checkSchema },
    handler: (call) => {
      const { within, unit } = call.params;
      const until = certificateEnd(call.request);
      if (until === null || until > Date.now() + within * UNIT_MS[unit]!) return OK;
      return failed(call, { reason: `The certificate expires ${new Date(until).toISOString()}` });
    },
  }),
  defineRoute({
    ...any,
    id: 'managementAliveness',
    url: '/aliveness-test/:vhost',
    summary: 'Declares a queue, sends it a message and takes it out again',
    description: `Needs every permission on the queue '${ALIVENESS_QUEUE}', which stays.`,
    rule: { kind: 'handler', why: `configure, write and read on '${ALIVENESS_QUEUE}'` },
    responses: { 200: checkSchema },
    handler: (call) => aliveness(call),
  }),
];

function storesRoute(url: string, id: string, summary: string): Route {
  return defineRoute({
    ...any,
    id,
    url,
    summary,
    responses: { 200: checkSchema },
    problems: ['STORAGE', 'TIMEOUT'],
    handler: async ({ broker }) => {
      await askStores(broker);
      return OK;
    },
  });
}

function alarmsRoute(url: string, id: string): Route {
  return defineRoute({
    ...any,
    id,
    url,
    summary: 'Whether the broker takes messages: it is short of nothing',
    responses: { 200: checkSchema, 503: checkSchema },
    handler: (call) => {
      const alarms = call.broker.alarms.active();
      if (alarms.length === 0) return OK;
      return failed(call, { reason: 'Alarms in effect', alarms });
    },
  });
}

function passedRoute(url: string, id: string, summary: string): Route {
  return defineRoute({
    ...any,
    id,
    url,
    summary,
    responses: { 200: checkSchema },
    handler: () => OK,
  });
}

function failed({ reply }: Pick<Call, 'reply'>, details: object): object {
  void reply.status(503);
  return { status: 'failed', ...details };
}

/** @returns milliseconds since 1970, of the certificate that the caller was shown; null: none was */
function certificateEnd({ socket }: Call['request']): number | null {
  if (!(socket instanceof TLSSocket)) return null;
  const { valid_to: until } = socket.getCertificate() as { valid_to: string };
  return Date.parse(until);
}

async function aliveness(call: Call): Promise<object> {
  const { identity, vhost } = call;
  for (const action of ['configure', 'write', 'read'] as const) {
    requireAction(identity, vhost, action, ALIVENESS_QUEUE);
  }
  const side = await sideOf(call);
  await side.declareQueue({
    name: ALIVENESS_QUEUE,
    durable: false,
    autoDelete: false,
    arguments: {},
  });
  await side.publish({
    exchange: '',
    routingKey: ALIVENESS_QUEUE,
    properties: {},
    payload: Buffer.from('test_message'),
    user: identity.name,
  });
  const options = { count: 1, bytesMax: 1_024, mode: 'acknowledge' } as const;
  // Somebody else who tests at the same time may have taken it: that there is none is no failure.
  await side.get(ALIVENESS_QUEUE, options);
  return OK;
}
