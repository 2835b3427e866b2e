import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RouteNotFoundError } from '../../protocols/http/errors.ts';
import type { BrokerContext } from './context.ts';

/** What `npm run build -w wherry-dashboard` makes, and the package ships. */
const FOLDER = join(import.meta.dirname, '../../../dashboard');
/** All that the build gives them: nothing that could lead elsewhere. */
const ASSET_NAME = /^[\w-]+(\.[\w-]+)+$/;
const METHODS = ['GET', 'HEAD'];
/** Names of assets say what is in them: a changed one has another name. */
const ASSET_AGE_MS = 365 * 24 * 60 * 60 * 1_000;

const NOT_BUILT = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Wherry</title>
  </head>
  <body>
    <h1>The dashboard is not built</h1>
    <p>Build it in Wherry's repository, then load this page again:</p>
    <pre>npm run build -w wherry-dashboard</pre>
    <p>The HTTP API is there without it: <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p>
  </body>
</html>
`;

/**
 * Serves the dashboard's files at `/`. Whatever else a browser navigates to is a page of the
 * dashboard, which finds out by itself whether it has it.
 * @param folder where the built dashboard is, or would be
 */
export async function serveStaticFiles(
  app: FastifyInstance,
  { config }: { readonly config: Pick<BrokerContext['config'], 'dashboard'> },
  folder: string = FOLDER,
): Promise<void> {
  if (!config.dashboard) return;
  await app.register(fastifyStatic, { root: folder, serve: false });
  app.route({
    method: METHODS,
    url: '/assets/*',
    handler: (request, reply) => {
      const { '*': name } = request.params as { '*': string };
      if (!ASSET_NAME.test(name)) throw new RouteNotFoundError(pathOf(request));
      return reply.sendFile(join('assets', name), { maxAge: ASSET_AGE_MS, immutable: true });
    },
  });
  app.route({
    method: METHODS,
    url: '/favicon.svg',
    handler: (_request, reply) => reply.sendFile('favicon.svg'),
  });
  app.route({
    method: METHODS,
    url: '/*',
    handler: (request, reply) => sendPage(request, reply, folder),
  });
}

/** @throws RouteNotFoundError when it is not a browser that navigates */
function sendPage(request: FastifyRequest, reply: FastifyReply, folder: string): FastifyReply {
  const path = pathOf(request);
  const isNavigation = request.headers.accept?.includes('text/html') === true;
  if (path.startsWith('/api/') || (path !== '/' && !isNavigation)) {
    throw new RouteNotFoundError(path);
  }
  // The page names the assets of its build: an old one would name what is gone.
  reply.header('cache-control', 'no-cache');
  if (existsSync(join(folder, 'index.html'))) {
    return reply.sendFile('index.html', { cacheControl: false });
  }
  return reply.type('text/html; charset=utf-8').send(NOT_BUILT);
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0]!;
}
