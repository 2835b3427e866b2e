import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import type { Client } from '../http/client.ts';
import { managementOf, startBoth } from './management-client.ts';

/** `GET /api/definitions` of a RabbitMQ 3.10.8. The passwords: ada-secret, short, cy-secret. */
const FILE = new URL('rabbitmq-definitions.json', import.meta.url);

interface Remark {
  readonly kind: string;
  readonly name: string;
  readonly detail: string;
}
interface Report {
  readonly taken: Record<string, number>;
  readonly changed: Remark[];
  readonly left_out: Remark[];
}

let broker: Broker;
let file: Record<string, Record<string, unknown>[]>;
let report: Report;
let ada: Client;

before(async () => {
  file = JSON.parse(await readFile(FILE, 'utf8')) as typeof file;
  broker = await startBoth({ limits: { loginsPerMinute: 1_000 } });
  // Nobody is there yet: whoever asks on this machine may do it.
  const answer = await managementOf(broker)('POST', '/definitions', { json: file });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  report = answer.body as Report;
  ada = managementOf(broker, 'ada', 'ada-secret');
});
after(() => broker.close({ deadline: 0 }));

/** As our own API tells them. */
async function settingsIn(vhost: string, queue: string): Promise<Record<string, unknown>> {
  const url = `${broker.url}/api/v1/vhosts/${vhost}/queues/${queue}`;
  const headers = { authorization: `Basic ${btoa('ada:ada-secret')}` };
  const response = await fetch(url, { headers });
  return ((await response.json()) as { settings: Record<string, unknown> }).settings;
}

test("a file of RabbitMQ's is taken, but for what cannot be", () => {
  const expected = { users: 4, vhosts: 2, permissions: 3, policies: 2, queues: 4, exchanges: 3 };
  assert.deepEqual(report.taken, { ...expected, bindings: 5 });
  const left = report.left_out.map(({ kind, name }) => `${kind} ${name}`);
  assert.deepEqual(left.toSorted(), [
    'global_parameters internal_cluster_id',
    'parameters limits',
    'permissions cy in shop',
    'policies hard',
    'queues log',
    'topic_permissions ben in shop',
  ]);
  const { detail } = report.left_out.find(({ kind }) => kind === 'permissions')!;
  assert.match(detail, /^Permission 'write' of user 'cy' in the virtual host 'shop': .*\[|range/);
  assert.match(report.left_out.find(({ kind }) => kind === 'queues')!.detail, /stream/);
});

test('what was taken otherwise is told', () => {
  const told = (name: string): string =>
    report.changed
      .filter((one) => one.name === name)
      .map(({ detail }) => detail)
      .join('; ');
  assert.match(told('ada'), /may do everything in every virtual host/);
  assert.match(told('ben'), /tags management, monitoring mean nothing/);
  assert.match(told('dee'), /has no password/);
  assert.match(told('ha'), /ha-mode is ignored.*given to the 1 queue/);
  assert.match(told('dead'), /delivery-limit is ignored.*given to the 1 queue/);
});

test('queues have their arguments, and as settings what their policy says', async () => {
  const orders = (await ada('GET', '/queues/shop/orders')).body;
  assert.deepEqual(orders.arguments, { 'x-max-length': 1000, 'x-overflow': 'reject-publish' });
  const { maxSize, messageTtl, overflow } = await settingsIn('shop', 'orders');
  // The lower of the two lengths; what becomes of one too many is the queue's own to say.
  assert.deepEqual(
    { maxSize, messageTtl, overflow },
    {
      maxSize: 500,
      messageTtl: 60_000,
      overflow: 'reject',
    },
  );
  const [jobs, lazy] = [await settingsIn('shop', 'jobs'), await settingsIn('shop', 'lazy')];
  assert.equal(jobs['deadLetterExchange'], 'dead');
  assert.deepEqual([lazy['maxPriority'], lazy['messageTtl']], [5, null]);
});

test('who declares a queue again as it was finds it, whatever its policy was', async () => {
  const json = file['queues']!.find(({ name }) => name === 'orders');
  assert.equal((await ada('PUT', '/queues/shop/orders', { json })).status, 204);
});

test('a message takes the way that the bindings say', async () => {
  const publish = async (exchange: string, routing_key: string, headers = {}): Promise<boolean> => {
    const json = { properties: { headers }, routing_key, payload: 'x', payload_encoding: 'string' };
    const answer = await ada('POST', `/exchanges/shop/${exchange}/publish`, { json });
    return (answer.body as { routed: boolean }).routed;
  };
  assert.equal(await publish('events', 'order.new.eu'), true);
  assert.equal(await publish('dead', '', { kind: 'late' }), true);
  assert.equal(await publish('dead', '', { kind: 'early' }), false);
  assert.equal(await publish('amq.topic', 'job.1'), true);
  const ready = async (queue: string): Promise<number> =>
    ((await ada('GET', `/queues/shop/${queue}`)).body as { messages_ready: number }).messages_ready;
  assert.deepEqual([await ready('orders'), await ready('lazy'), await ready('jobs')], [1, 1, 1]);
});

test('users log in with the passwords that only RabbitMQ knew, and then have a hash of ours', async () => {
  for (const [name, password] of [
    ['ben', 'short'],
    ['cy', 'cy-secret'],
  ] as const) {
    assert.equal((await managementOf(broker, name, `${password}!`)('GET', '/whoami')).status, 401);
    for (let times = 0; times < 3; times++) {
      const { status, body } = await managementOf(broker, name, password)('GET', '/whoami');
      assert.deepEqual({ status, body }, { status: 200, body: { name, tags: [] } });
    }
  }
  assert.equal((await managementOf(broker, 'dee', '')('GET', '/whoami')).status, 401);
});

test('permissions are what the expressions said', async () => {
  const permissions = (await ada('GET', '/users/ben/permissions')).body;
  assert.deepEqual(permissions, [
    {
      user: 'ben',
      vhost: 'shop',
      configure: '^$',
      write: '^(orders|amq\\.topic)$',
      read: '^orders.*',
    },
  ]);
  const ben = managementOf(broker, 'ben', 'short');
  assert.equal((await ben('GET', '/queues/shop/orders')).status, 200);
  assert.equal((await ben('GET', '/queues/shop/jobs')).status, 403);
  const names = ((await ben('GET', '/queues')).body as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ['orders']);
});

test('taken again, everything is there already', async () => {
  const again = (await ada('POST', '/definitions', { json: file })).body as Report;
  assert.deepEqual(again.taken, report.taken);
});

test('what is exported is taken whole by another broker', async (t) => {
  const exported = (await ada('GET', '/definitions')).body as typeof file;
  const other = await startBoth();
  t.after(() => other.close({ deadline: 0 }));
  // Only who there is would be locked out: users come without passwords.
  const users = exported['users']!.map((user) =>
    user['name'] === 'ada' ? { ...user, password: 'another secret' } : user,
  );
  const json = { ...exported, users };
  const taken = (await managementOf(other)('POST', '/definitions', { json })).body as Report;
  assert.deepEqual(taken.left_out, []);
  const root = managementOf(other, 'ada', 'another secret');
  const back = (await root('GET', '/definitions')).body as typeof file;
  assert.deepEqual(back, exported);
  // RabbitMQ's names of things that it would not take otherwise.
  assert.deepEqual(
    Object.keys(exported).filter((key) => !(key in file)),
    ['notes'],
  );
  assert.ok(!JSON.stringify(exported).includes('scrypt'));
});

test('a file for one virtual host goes where it is sent', async () => {
  await ada('PUT', '/vhosts/copy');
  const exported = (await ada('GET', '/definitions/shop')).body as typeof file;
  assert.ok(exported['queues']!.every((queue) => !('vhost' in queue)));
  const json = { ...exported, users: file['users'] };
  const { taken, left_out: left } = (await ada('POST', '/definitions/copy', { json }))
    .body as Report;
  assert.equal(taken['queues'], 4);
  assert.equal(taken['bindings'], 5);
  assert.deepEqual(
    left.map(({ kind }) => kind),
    ['users'],
  );
  assert.equal((await ada('GET', '/queues/copy/orders')).status, 200);
});

test('entries that are wrong do not keep out the others', async () => {
  const json = {
    users: [{ name: 'eve', password_hash: '!!', tags: '' }, 7, { name: 'x:y', tags: '' }],
    queues: [
      { name: 'wrong', vhost: 'shop', durable: 'perhaps' },
      { name: 'elsewhere', vhost: 'missing' },
      { name: 'orders', vhost: 'shop', durable: false },
      { name: 'right', vhost: 'shop', durable: true },
    ],
    policies: [{ name: 'nowhere', vhost: 'missing', pattern: '.*', definition: {} }],
    bindings: [{ source: 'none', vhost: 'shop', destination: 'right', destination_type: 'queue' }],
    exchanges: 'not a list',
  };
  const { taken, left_out: left } = (await ada('POST', '/definitions', { json })).body as Report;
  assert.equal(taken['queues'], 1);
  assert.deepEqual(
    left.map(({ kind, name }) => `${kind} ${name}`),
    [
      'users ',
      'users eve',
      'users x:y',
      'policies nowhere',
      'queues wrong',
      'queues elsewhere',
      'queues orders',
      'exchanges ',
      'bindings none -> right',
    ],
  );
  for (const { detail } of left) assert.ok(detail.length > 10);
});

test('rights in a virtual host that is not there are given to nobody', async () => {
  const rights = { configure: '.*', write: '.*', read: '.*' };
  const json = { permissions: [{ user: 'ben', vhost: 'missing', ...rights }] };
  const { taken, left_out: left } = (await ada('POST', '/definitions', { json })).body as Report;
  assert.equal(taken['permissions'], 0);
  assert.match(left[0]!.detail, /'missing' does not exist/);
});

test('policies by themselves are given to the queues that there are', async () => {
  const policy = { name: 'brief', pattern: '^right$', definition: { 'message-ttl': 5_000 } };
  const json = { policies: [policy] };
  const { changed } = (await ada('POST', '/definitions/shop', { json })).body as Report;
  assert.match(changed[0]!.detail, /^given to the 1 queue/);
  const { messageTtl } = await settingsIn('shop', 'right');
  assert.equal(messageTtl, 5_000);
});

test('a file without an administrator leaves its users out of a broker that has nobody', async (t) => {
  const other = await startBoth();
  t.after(() => other.close({ deadline: 0 }));
  const json = { users: file['users']!.filter(({ name }) => name === 'ben') };
  const taken = (await managementOf(other)('POST', '/definitions', { json })).body as Report;
  assert.equal(taken.taken['users'], 0);
  assert.match(taken.left_out[0]!.detail, /administer/);
});
