import { setTimeout as delay } from 'node:timers/promises';
import { ClosedError, type Driver, TimeoutError } from 'wherry';
import * as z from 'zod';
import { RouteNotFoundError } from '../../../protocols/http/errors.ts';
import { mayEnter } from '../../../access/permissions.ts';
import type { BrokerContext } from '../context.ts';
import { defineRoute, type Route } from '../route.ts';

/** A store that takes longer is of no use to anybody. */
const STORE_TIMEOUT_MS = 2_000;

const statusSchema = z.object({ status: z.literal('ok') });

export const operationsRoutes: readonly Route[] = [
  defineRoute({
    id: 'getMetrics',
    method: 'GET',
    url: '/metrics',
    scope: 'root',
    tag: 'broker',
    summary: "Metrics in Prometheus' text format",
    description: 'Those of queues are shown of the virtual hosts that the caller may enter.',
    rule: { kind: 'authenticated' },
    responses: { 200: { mediaType: 'text/plain' } },
    handler: async ({ broker, identity, reply }) => {
      const { config, telemetry } = broker;
      if (!config.metrics) throw new RouteNotFoundError('/metrics');
      const { metrics } = telemetry;
      const page = await metrics.text((vhost) => mayEnter(identity, vhost));
      return reply.type(metrics.contentType).send(page);
    },
  }),
  defineRoute({
    id: 'getHealth',
    method: 'GET',
    url: '/healthz',
    scope: 'root',
    tag: 'broker',
    summary: 'Whether the process is alive',
    rule: { kind: 'public' },
    responses: { 200: statusSchema },
    handler: () => ({ status: 'ok' }),
  }),
  defineRoute({
    id: 'getReadiness',
    method: 'GET',
    url: '/readyz',
    scope: 'root',
    tag: 'broker',
    summary: 'Whether requests can be served',
    description: 'Asks every store for something; 503 when one does not answer in 2 s.',
    rule: { kind: 'public' },
    responses: { 200: statusSchema },
    problems: ['STORAGE', 'TIMEOUT', 'CLOSED'],
    handler: async ({ broker, services, reply }) => {
      if (services.closing.aborted) throw new ClosedError('The broker');
      try {
        await askStores(broker);
      } catch (error) {
        broker.telemetry.countError(error);
        broker.telemetry.logger.warn({ err: error }, 'A store does not answer');
        // What is wrong with it is for the log: anybody may ask this.
        return reply.status(503).header('retry-after', '1').send({ status: 'unavailable' });
      }
      return { status: 'ok' };
    },
  }),
];

/** @throws StorageError, TimeoutError when one does not answer */
export async function askStores({ vhosts }: BrokerContext): Promise<void> {
  // A server is asked for its time: that is a question like any other, and changes nothing.
  const asked = vhosts.names().map(async (name) => {
    const mq = vhosts.find(name);
    await (mq?.storage as Driver | undefined)?.now();
  });
  const timer = new AbortController();
  const tooLate = delay(STORE_TIMEOUT_MS, undefined, { signal: timer.signal, ref: false }).then(
    () => {
      throw new TimeoutError('An answer of the store', STORE_TIMEOUT_MS);
    },
  );
  try {
    await Promise.race([Promise.all(asked), tooLate]);
  } finally {
    tooLate.catch(() => {});
    timer.abort();
  }
}
