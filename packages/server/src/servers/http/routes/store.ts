import { StorageError } from 'wherry';
import { type HostedMethod, webSocketChannel } from 'wherry/remote';
import type { Action } from '../../../access/identity.ts';
import type { BrokerContext } from '../context.ts';
import { defineRoute, type Route } from '../route.ts';

const EVERYTHING = '*';
const ACTIONS: readonly Action[] = ['configure', 'write', 'read'];

export const storeRoutes: readonly Route[] = [
  defineRoute({
    id: 'openStore',
    method: 'GET',
    url: '/store',
    scope: 'vhost',
    tag: 'broker',
    summary: 'The store itself, for the remote driver, over a WebSocket',
    description:
      "What `MessageQueueSystem.open({ storage: 'http://…' })` connects to: the library's driver " +
      'contract in binary messages. Needs the permissions configure, write and read on `*`.',
    rule: {
      kind: 'handler',
      why: 'a store is all there is in the virtual host: it needs all rights',
    },
    responses: { 101: null },
    check: ({ require }) => {
      for (const action of ACTIONS) require(action, EVERYTHING);
    },
    connect: ({ broker, mq, services, identity, request }, socket) => {
      const client = `${identity.name} at ${request.ip}`;
      const authorize = (method: HostedMethod): void => refuseSends(broker, method);
      services.storeHosts.of(mq).accept(webSocketChannel(socket), { client, authorize });
    },
  }),
];

/**
 * What is stored already may be moved, as a dead letter is: consumers go on, which makes room.
 * @throws StorageError while the broker takes no messages
 */
function refuseSends({ alarms }: BrokerContext, method: HostedMethod): void {
  if (method !== 'publish') return;
  const [alarm] = alarms.active();
  if (alarm === undefined) return;
  const message = `${alarm.detail} Nothing was stored.`;
  throw new StorageError(message, { code: 'OVERLOADED', retriable: true });
}
