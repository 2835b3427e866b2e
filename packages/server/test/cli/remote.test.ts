/** The commands of `wherry` with `--store http://…`: a broker on a folder, asked as the folder would be. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestStore, temporaryFolder } from '../../../wherry/test/cli/harness.ts';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';

let broker: Broker;
let store: TestStore;
before(async () => {
  broker = await startBroker({ store: join(temporaryFolder(), 'store') });
  store = new TestStore(broker.url);
});
after(() => broker.close());

test('queues, sending, looking and consuming', async () => {
  await store.ok(['queue', 'create', 'orders', '--max-retries', '0']);
  await store.ok(['queue', 'update', 'orders', '--lease-duration', '5m']);
  const { id } = await store.json<{ id: string }>(['publish', '{"order": 1}', '--queue', 'orders']);
  await store.ok(['publish', '--queue', 'orders', '--stdin'], {
    input: '{"order":2}\n{"order":3}\n',
  });
  const browsed = await store.lines<{ id: string }>(['browse', 'orders']);
  assert.deepEqual([browsed.length, browsed[0]!.id], [3, id]);
  const info = await store.json(['queue', 'info', 'orders']);
  assert.deepEqual([info['ready'], info['arrived']], [3, 3]);

  const consumed = await store.lines<{ payload: unknown }>(['consume', 'orders']);
  assert.deepEqual(
    consumed.map(({ payload }) => payload),
    [{ order: 1 }, { order: 2 }, { order: 3 }],
  );
  await store.ok(['queue', 'delete', 'orders']);
});

test('dead letters come back', async () => {
  await store.ok(['queue', 'create', 'failing', '--max-retries', '0']);
  await store.ok(['publish', '1', '--queue', 'failing']);
  const { code } = await store.call(['consume', 'failing', '--exec', 'false']);
  assert.equal(code, 5);
  const dead = await store.lines<{ deaths: { queue: string }[] }>(['dead-letters', 'list']);
  assert.equal(dead[0]!.deaths[0]!.queue, 'failing');
  await store.ok(['dead-letters', 'redrive']);
  assert.equal((await store.lines(['browse', 'failing'])).length, 1);
  await store.ok(['queue', 'delete', 'failing', '--force']);
});

test('exchanges, bindings and schedules', async () => {
  await store.ok(['queue', 'create', 'mail']);
  await store.ok(['exchange', 'create', 'shop', '--type', 'topic']);
  await store.ok([
    'binding',
    'create',
    '--exchange',
    'shop',
    '--queue',
    'mail',
    '--routing-key',
    'a.#',
  ]);
  await store.ok(['publish', '1', '--exchange', 'shop', '--routing-key', 'a.b']);
  assert.equal((await store.lines(['browse', 'mail'])).length, 1);
  await store.ok(['schedule', 'add', 'nightly', '1', '--cron', '0 3 * * *', '--queue', 'mail']);
  assert.match(await store.ok(['schedule', 'list']), /nightly/);
});

test('top, export, import, migrate and bench', async () => {
  const [top] = await store.lines<{ queues: { name: string }[] }>(['top', '--once']);
  assert.ok(top!.queues.some(({ name }) => name === 'mail'));

  const file = join(temporaryFolder(), 'export.ndjson');
  await store.ok(['export', file, '--queue', 'mail']);
  const other = new TestStore();
  await other.ok(['import', file]);
  assert.equal((await other.lines(['browse', 'mail'])).length, 1);

  const target = new TestStore();
  await store.ok(['migrate', '--from', broker.url, '--to', target.path, '--queue', 'mail']);
  assert.equal((await target.lines(['browse', 'mail'])).length, 1);
  await store.ok(['bench', '--messages', '200']);
});

test('doctor sends to the store itself', async () => {
  const { code, stderr } = await store.call(['doctor']);
  assert.equal(code, 2);
  assert.match(stderr, /the store that the broker has/);
});

test('a broker with accounts takes a user in the URL, or a token from the environment', async () => {
  const token = `wht_${'t'.repeat(43)}`;
  const bytes = await crypto.subtle.digest('SHA-256', Buffer.from(token));
  const digest = Buffer.from(bytes).toString('hex');
  await using closed = await startBroker({ tokens: [{ name: 'ops', digest, admin: true }] });
  const guarded = new TestStore(closed.url);
  const refused = await guarded.call(['queue', 'list']);
  assert.equal(refused.code, 4, refused.stderr);
  assert.match(refused.stderr, /does not accept the credentials/);
  const { PATH } = process.env;
  await guarded.ok(['queue', 'create', 'orders'], { env: { PATH, WHERRY_TOKEN: token } });
});
