import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, before, test } from 'node:test';
import createClient from 'openapi-fetch';
import openapiTypescript, { astToString } from 'openapi-typescript';
import type { Broker } from '../../src/index.ts';
import { ROUTES } from '../../src/servers/http/route-table.ts';
import { startBroker } from '../broker.ts';

const run = promisify(execFile);
const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url));

let broker: Broker;
let folder: string;
let document: { paths: Record<string, Record<string, { operationId: string }>> };

before(async () => {
  broker = await startBroker();
  folder = await mkdtemp(join(tmpdir(), 'wherry-openapi-'));
  await symlink(modules, join(folder, 'node_modules'));
  const response = await fetch(`${broker.url}/api/v1/openapi.json`);
  document = (await response.json()) as typeof document;
  await writeFile(join(folder, 'openapi.json'), JSON.stringify(document));
});
after(async () => {
  await broker.close();
  await rm(folder, { recursive: true });
});

test('every route is described, once', () => {
  const described = Object.values(document.paths).flatMap((item) =>
    Object.values(item).flatMap(({ operationId }) => operationId ?? []),
  );
  assert.deepEqual(described.toSorted(), ROUTES.map((route) => route.id).toSorted());
  assert.equal(new Set(described).size, described.length);
});

test('the document has no mistakes', async () => {
  await writeFile(join(folder, 'redocly.yaml'), 'telemetry: off\nextends: [recommended]\n');
  const environment = {
    ...process.env,
    REDOCLY_TELEMETRY: 'off',
    REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
  };
  const { stdout } = await run(
    process.execPath,
    [join(modules, '.bin/redocly'), 'lint', 'openapi.json', '--format', 'json'],
    { cwd: folder, env: environment, maxBuffer: 64 * 1024 * 1024 },
  );
  const { totals, problems } = JSON.parse(stdout) as {
    totals: { errors: number; warnings: number };
    problems: { ruleId: string; location: { pointer: string }[] }[];
  };
  const found = problems.map(({ ruleId, location }) => `${ruleId} ${location[0]?.pointer ?? ''}`);
  assert.equal(totals.errors, 0, found.join('\n'));
  // A WebSocket answers 101.
  const serious = found.filter((one) => !one.startsWith('operation-2xx-response'));
  assert.deepEqual(serious, []);
});

test('a client made of the document works, and is typed', async () => {
  const types = astToString(await openapiTypescript(JSON.stringify(document)));
  await writeFile(join(folder, 'api.d.ts'), types);
  await writeFile(join(folder, 'client.ts'), CLIENT);
  const options = { strict: true, noEmit: true, module: 'nodenext', skipLibCheck: true };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...options, types: [] }, files: ['client.ts'] }),
  );
  await run(join(modules, '.bin/tsc'), ['-p', folder]).catch((error: { stdout: string }) => {
    assert.fail(error.stdout);
  });
  const client = createClient({ baseUrl: `${broker.url}/api/v1` }) as unknown as LooseClient;
  const path = { queue: 'made/up' };
  await client.PUT('/queues/{queue}', { params: { path }, body: { maxRetries: 7 } });
  const sent = await client.POST('/queues/{queue}/messages', {
    params: { path },
    body: { payload: { a: 1 }, priority: 4 },
  });
  assert.equal(sent.response.status, 201);
  const { data } = await client.POST('/queues/{queue}/receive', {
    params: { path },
    body: { wait: '1s' },
  });
  const [message] = (data as { messages: { payload: unknown; receipt: string }[] }).messages;
  assert.deepEqual(message!.payload, { a: 1 });
  const settled = await client.POST('/queues/{queue}/acknowledge', {
    params: { path },
    body: { receipts: [message!.receipt] },
  });
  assert.deepEqual(settled.data, { results: [{ ok: true }] });
  const { error } = await client.GET('/queues/{queue}', { params: { path: { queue: 'none' } } });
  assert.equal((error as { code: string }).code, 'QUEUE_NOT_FOUND');
});

/** What the generated types say of these paths is checked by the program below. */
type LooseClient = Record<
  'GET' | 'PUT' | 'POST',
  (
    path: string,
    init: object,
  ) => Promise<{ readonly data?: unknown; readonly error?: unknown; readonly response: Response }>
>;

const CLIENT = `
import createClient from 'openapi-fetch';
import type { paths } from './api.d.ts';

const client = createClient<paths>({ baseUrl: 'http://localhost:7470/api/v1' });
const params = { path: { queue: 'emails' } };

export async function work(): Promise<string[]> {
  await client.PUT('/queues/{queue}', { params, body: { maxRetries: 7, leaseDuration: '1m' } });
  const sent = await client.POST('/queues/{queue}/messages', { params, body: { payload: 1 } });
  const id: string | undefined = sent.data?.id;
  const { data, error } = await client.POST('/queues/{queue}/receive', {
    params,
    body: { max: 10, wait: '20s' },
  });
  if (error !== undefined) throw new Error(error.code + error.detail + String(id));
  const receipts = data!.messages.map((message) => message.receipt);
  const settled = await client.POST('/queues/{queue}/acknowledge', { params, body: { receipts } });
  // @ts-expect-error -- it is a number
  await client.PUT('/queues/{queue}', { params, body: { maxRetries: 'many' } });
  // @ts-expect-error -- a message has a payload
  await client.POST('/queues/{queue}/messages', { params, body: {} });
  return settled.data!.results.map((result) => (result.ok ? 'done' : result.error.code));
}
`;
