import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import { serveStaticFiles } from '../../src/servers/http/static-files.ts';
import { startBroker } from '../broker.ts';

test('where the dashboard was not built, a page says how', async (t) => {
  const app = Fastify();
  t.after(() => app.close());
  await serveStaticFiles(app, { config: { dashboard: true } }, '/nowhere/dashboard');
  const response = await app.inject({ url: '/queues', headers: { accept: 'text/html' } });
  assert.equal(response.statusCode, 200);
  assert.match(response.body, /npm run build -w wherry-dashboard/);
  assert.match(String(response.headers['content-type']), /^text\/html/);
});

test('turned off, there is no page, and the API is there', async (t) => {
  const broker = await startBroker({ dashboard: false });
  t.after(() => broker.close());
  const page = await fetch(broker.url, { headers: { accept: 'text/html' } });
  assert.equal(page.status, 404);
  assert.match(page.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal((await fetch(`${broker.url}/api/v1/queues`)).status, 200);
});
