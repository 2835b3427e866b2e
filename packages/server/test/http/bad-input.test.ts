import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathOf } from '../../src/servers/http/route.ts';
import { ROUTES } from '../../src/servers/http/route-table.ts';
import { startBroker } from '../broker.ts';

const NAMES = ['x', '%00', '%E2%82%AC', '..%2F', '%27%3B--', 'x'.repeat(700), '__proto__', '-1'];
const VALUES = [null, -1, 1e308, '', 'x', [], {}, [[]], true, '\u0000', '9'.repeat(400), '30s'];

const QUERIES = [
  '',
  '?',
  '?limit=-1&cursor=%00',
  '?x[]=1&__proto__=2',
  '?raw=maybe&force=2&range=x',
];

/** Bodies that are no JSON, no object, or an object with wrong values in each field that there is. */
function bodiesFor(fields: readonly string[]): string[] {
  const wrong = VALUES.map((value) => Object.fromEntries(fields.map((field) => [field, value])));
  const single = fields.flatMap((field) => VALUES.map((value) => ({ [field]: value })));
  const objects = [...wrong, ...single].map((body) => JSON.stringify(body));
  return ['', '{', 'null', '[]', '"x"', '1', '{"x":1}', '\ufeff{}', '{"a":1}{', ...objects];
}

function fieldsOf(body: unknown): string[] {
  const schema = body as { shape?: object; unwrap?: () => unknown } | undefined;
  if (schema?.shape !== undefined) return Object.keys(schema.shape);
  return typeof schema?.unwrap === 'function' ? fieldsOf(schema.unwrap()) : [];
}

test('no input is an internal error, whatever the route', async (t) => {
  await using broker = await startBroker({
    amqp: { enabled: true, port: 0 },
    limits: { longPollMs: 0 },
  });
  const base = `${broker.url}/api/v1`;
  await fetch(`${base}/queues/x`, { method: 'PUT' });
  const statuses = new Map<number, number>();
  const asks: { url: string; method: string; responses: object; body?: string }[] = [];
  for (const route of ROUTES) {
    const { method, responses } = route;
    if (Object.values(responses).some((one) => one !== null && 'mediaType' in one)) continue;
    const at = (name: string): string =>
      broker.url + pathOf(route).replace(':vhost', '%2F').replaceAll(/:\w+/g, name);
    for (const name of NAMES) asks.push({ url: at(name), method, responses });
    const plain = at('x');
    for (const query of QUERIES) asks.push({ url: plain + query, method, responses });
    if (route.body === undefined) continue;
    for (const body of bodiesFor(fieldsOf(route.body))) {
      asks.push({ url: plain, method, responses, body });
    }
  }
  const headers = { 'content-type': 'application/json' };
  for (const { url, method, responses, body } of asks) {
    const response = await fetch(url, {
      method,
      ...(body !== undefined && { body, headers }),
    }).catch((cause: unknown) => {
      throw new Error(`${method} ${url} ${body}`, { cause });
    });
    const text = await response.text();
    const { status } = response;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    // A check of the broker's health may fail.
    if (Object.hasOwn(responses, status)) continue;
    // 501: memory has no partitions.
    assert.ok(status < 500 || status === 501, `${method} ${url} ${body}: ${status} ${text}`);
    if (status < 400) continue;
    const { code, detail } = JSON.parse(text) as { code: string; detail: string };
    assert.ok(code !== 'INTERNAL' && detail.length > 10, text);
  }
  t.diagnostic(`${asks.length} requests: ${JSON.stringify(Object.fromEntries(statuses))}`);
  assert.ok(asks.length > 1_000);
  assert.equal((await fetch(`${base}/overview`)).status, 200);
});
