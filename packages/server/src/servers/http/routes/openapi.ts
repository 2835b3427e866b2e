import { defineRoute, type Route } from '../route.ts';

export const openApiRoutes: readonly Route[] = [
  defineRoute({
    id: 'getOpenApi',
    method: 'GET',
    url: '/openapi.json',
    scope: 'global',
    tag: 'broker',
    summary: 'This document',
    rule: { kind: 'public' },
    responses: { 200: { mediaType: 'application/json' } },
    handler: ({ services, reply }) => reply.type('application/json').send(services.openApi()),
  }),
];
