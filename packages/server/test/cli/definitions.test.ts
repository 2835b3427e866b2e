/** `wherry definitions`: a broker's definitions out of it, and a file's into it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder, TestStore } from '../../../wherry/test/cli/harness.ts';
import type { Broker } from '../../src/index.ts';
import { startBoth } from '../management/management-client.ts';

const RABBITMQ_FILE = fileURLToPath(
  new URL('../management/rabbitmq-definitions.json', import.meta.url),
);
const QUEUES = {
  queues: [{ name: 'parcels', durable: true, arguments: { 'x-max-priority': 5 } }],
  exchanges: [{ name: 'post', type: 'topic', durable: true }],
  bindings: [
    { source: 'post', destination: 'parcels', destination_type: 'queue', routing_key: 'parcel.#' },
  ],
};

interface Definitions {
  readonly queues: { readonly name: string; readonly vhost?: string }[];
  readonly bindings: { readonly source: string; readonly routing_key: string }[];
}

let broker: Broker;
let asAda: TestStore;
before(async () => {
  broker = await startBoth({ limits: { loginsPerMinute: 1_000 } });
  const { code, stdout, stderr } = await new TestStore(broker.url).call([
    'definitions',
    'import',
    RABBITMQ_FILE,
  ]);
  assert.equal(code, 5, stderr);
  assert.match(stdout, /^Taken: users 4, vhosts 2, permissions 3, policies 2, queues 4,/);
  assert.match(stderr, /^left out: queues 'log': .*stream/m);
  assert.match(stderr, /^changed: users 'ada': /m);
  asAda = new TestStore(broker.url.replace('//', '//ada:ada-secret@'));
});
after(() => broker.close({ deadline: 0 }));

test('standard input goes into one virtual host, and comes out of it', async () => {
  const shop = new TestStore(`${asAda.path}/vhosts/shop`);
  const input = JSON.stringify(QUEUES);
  const report = await shop.json<{ taken: Record<string, number>; left_out: unknown[] }>(
    ['definitions', 'import'],
    { input },
  );
  assert.deepEqual([report.taken['queues'], report.taken['bindings'], report.left_out], [1, 1, []]);
  const out = JSON.parse(await shop.ok(['definitions', 'export'])) as Definitions;
  assert.ok(out.queues.some(({ name, vhost }) => name === 'parcels' && vhost === undefined));
  assert.ok(out.bindings.some(({ source, routing_key: key }) => source + key === 'postparcel.#'));
});

test('a whole broker goes into a file', async () => {
  const file = join(temporaryFolder(), 'definitions.json');
  assert.match(
    await asAda.ok(['definitions', 'export', file]),
    /Exported .* to .*definitions.json/,
  );
  const whole = JSON.parse(await readFile(file, 'utf8')) as Definitions & { users: object[] };
  assert.equal(whole.users.length, 4);
  assert.deepEqual(await asAda.json(['definitions', 'export', file]), { file });
});

test('parameters, which every RabbitMQ has, are told and are no failure', async () => {
  const { global_parameters: parameters } = JSON.parse(readFileSync(RABBITMQ_FILE, 'utf8')) as {
    global_parameters: unknown;
  };
  const input = JSON.stringify({ global_parameters: parameters });
  const { code, stderr } = await asAda.call(['definitions', 'import', '-'], { input });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^left out: global_parameters 'internal_cluster_id': /m);
});

test('what fails is told with what to do about it', async (t) => {
  const failure = async (store: string, ...args: string[]): Promise<[number | null, string]> => {
    const { code, stderr } = await new TestStore(store).call(['definitions', ...args, '--json'], {
      input: 'no JSON',
    });
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
    return [code, `${error.code} ${error.message}`];
  };
  const [folderCode, folder] = await failure('./queues', 'export');
  assert.equal(folderCode, 2);
  assert.match(folder, /^USAGE .*wherry serve --store '\.\/queues'/);
  const [authCode, auth] = await failure(broker.url.replace('//', '//ada:wrong@'), 'export');
  assert.equal(authCode, 4);
  assert.match(auth, /^STORAGE_AUTH .*does not accept/);
  const [, forbidden] = await failure(broker.url.replace('//', '//ben:short@'), 'export');
  assert.match(forbidden, /^FORBIDDEN /);
  const [, missing] = await failure(`${asAda.path}/vhosts/none`, 'export');
  assert.match(missing, /^VHOST_NOT_FOUND /);
  assert.match((await failure(asAda.path, 'import'))[1], /^INVALID_JSON /);
  assert.match((await failure(asAda.path, 'import', './none.json'))[1], /^USAGE .*ENOENT/);
  assert.match((await failure('http://127.0.0.1:1', 'export'))[1], /^STORAGE_UNAVAILABLE /);

  const other = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'text/html' }).end('<p>no such page</p>');
  }).listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  assert.match((await failure(`http://127.0.0.1:${port}`, 'export'))[1], /answers 404/);
});
