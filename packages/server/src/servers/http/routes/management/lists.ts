import type { AmqpVhostSide } from '../../../../protocols/management/amqp-side.ts';
import {
  listed,
  listedSchema,
  listQuery,
  type Row,
} from '../../../../protocols/management/listing.ts';
import { type Call, defineRoute, type Route } from '../../route.ts';
import { inEachVhost, MANAGEMENT, sideOf } from './common.ts';

/**
 * The two lists of a kind of thing: over all virtual hosts that the caller may enter, and of one.
 * @param rowsOf those of one virtual host that the caller may see
 */
export function listRoutes(
  kind: 'Queues' | 'Exchanges' | 'Bindings' | 'Consumers',
  rowsOf: (call: Call, side: AmqpVhostSide, vhost: string) => Row[] | Promise<Row[]>,
  description?: string,
): Route[] {
  const url = `/${kind.toLowerCase()}`;
  const list = {
    ...MANAGEMENT,
    method: 'GET',
    query: listQuery,
    responses: { 200: listedSchema },
    ...(description !== undefined && { description }),
  } as const;
  return [
    defineRoute({
      ...list,
      id: `management${kind}`,
      url,
      summary: `${kind} of all virtual hosts`,
      rule: { kind: 'authenticated' },
      handler: async (call) => {
        const rows = await inEachVhost(call, (side, vhost) => rowsOf(call, side, vhost));
        return listed(rows, call.query);
      },
    }),
    defineRoute({
      ...list,
      id: `managementVhost${kind}`,
      url: `${url}/:vhost`,
      summary: `${kind} of a virtual host`,
      rule: { kind: 'vhost' },
      handler: async (call) => {
        const rows = await rowsOf(call, await sideOf(call), call.vhost);
        return listed(rows, call.query);
      },
    }),
  ];
}
