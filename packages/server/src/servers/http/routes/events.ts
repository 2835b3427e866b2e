import type { EventName } from 'wherry';
import * as z from 'zod';
import { InvalidRequestError } from '../../../protocols/http/errors.ts';
import { EventStream } from '../event-stream.ts';
import { defineRoute, type Route } from '../route.ts';

const TYPES: readonly EventName[] = [
  'enqueued',
  'delivered',
  'acknowledged',
  'retried',
  'deadLettered',
  'parked',
  'expired',
  'replaced',
  'dropped',
  'leaseLost',
  'consumerError',
  'scheduleError',
];

export const eventRoutes: readonly Route[] = [
  defineRoute({
    id: 'watchEvents',
    method: 'GET',
    url: '/events',
    scope: 'vhost',
    tag: 'events',
    summary: 'What happens in this broker, as it happens (server-sent events)',
    description:
      `\`types\` are some of ${TYPES.join(', ')}. Of the queues that the caller may read, or of those named. ` +
      'A reader gets so many events a second (limits.eventsPerSecond); `skipped` tells how many were ' +
      'left out. One that ' +
      'does not read is cut with `cut`.',
    rule: { kind: 'vhost' },
    query: z.strictObject({
      queues: z.string().optional().describe('Names, percent-encoded, with commas between.'),
      types: z.string().optional().describe('Types, with commas between; all when left out.'),
    }),
    responses: { 200: { mediaType: 'text/event-stream' } },
    handler: (call) => {
      const { queues, types } = call.query;
      const stream = new EventStream(call, {
        types: types === undefined ? TYPES : types.split(',').map(typeOf),
        queues: queues === undefined ? null : new Set(queues.split(',').map(nameOf)),
      });
      stream.start();
      return call.reply;
    },
  }),
];

function typeOf(text: string): EventName {
  const type = TYPES.find((one) => one === text);
  if (type !== undefined) return type;
  const detail = `has ${JSON.stringify(text)}, which is no event; there are ${TYPES.join(', ')}`;
  throw new InvalidRequestError([{ field: 'query.types', detail }]);
}

function nameOf(text: string): string {
  try {
    // A name may have a comma of its own.
    return decodeURIComponent(text);
  } catch {
    const detail = `has ${JSON.stringify(text)}, which is not percent-encoded as it should be`;
    throw new InvalidRequestError([{ field: 'query.queues', detail }]);
  }
}
