import { webSocketChannel } from 'wherry/remote';
import type { Action } from '../../../access/identity.ts';
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
    connect: ({ mq, services, identity, request }, socket) => {
      const client = `${identity.name} at ${request.ip}`;
      services.storeHosts.of(mq).accept(webSocketChannel(socket), { client });
    },
  }),
];
