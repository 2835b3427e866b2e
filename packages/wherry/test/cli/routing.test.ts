import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestStore } from './harness.ts';

test('exchange create, list and delete', async () => {
  const store = new TestStore();
  assert.equal(
    await store.ok(['exchange', 'create', 'events', '--type', 'topic']),
    "Created topic exchange 'events'.\n",
  );
  assert.match(
    await store.ok(['exchange', 'create', 'events', '--type', 'topic']),
    /exists already/,
  );
  const other = await store.call(['exchange', 'create', 'events', '--type', 'fanout']);
  assert.equal(other.code, 1);
  assert.match(other.stderr, /other settings \(type\)\. .*wherry exchange delete/);
  assert.equal((await store.call(['exchange', 'create', 'news'])).code, 2);
  const create = ['exchange', 'create', 'inner', '--type', 'fanout', '--internal'];
  assert.deepEqual(await store.json([...create, '--alternate-exchange', 'events']), {
    name: 'inner',
    type: 'fanout',
    alternateExchange: 'events',
    internal: true,
    attributes: null,
    created: true,
  });
  const table = await store.ok(['exchange', 'list']);
  assert.match(table, /^NAME +TYPE +ALTERNATE +INTERNAL\n/);
  assert.match(table, /^events +topic +- +no$/m);
  assert.match(table, /^inner +fanout +events +yes$/m);
  assert.deepEqual(await store.json(['exchange', 'delete', 'inner']), {
    name: 'inner',
    deleted: true,
  });
  assert.equal((await store.call(['exchange', 'delete', 'inner'])).code, 3);
});

test('a message goes through an exchange to the queues that are bound', async () => {
  const store = new TestStore();
  for (const queue of ['all', 'pushes']) await store.ok(['queue', 'create', queue]);
  await store.ok(['exchange', 'create', 'events', '--type', 'topic']);
  const bind = ['binding', 'create', '--exchange', 'events'];
  await store.ok([...bind, '--queue', 'all', '--routing-key', '#']);
  await store.ok([...bind, '--queue', 'pushes', '--routing-key', 'push.*']);
  const publish = ['publish', '--exchange', 'events'];
  const sent = await store.json([...publish, '"p"', '--routing-key', 'push.main']);
  assert.deepEqual(new Set(sent['queues'] as string[]), new Set(['all', 'pushes']));
  await store.ok([...publish, '"i"', '--routing-key', 'issues.opened']);
  assert.equal(await store.ok(['consume', 'all']), '"p"\n"i"\n');
  assert.equal(await store.ok(['consume', 'pushes']), '"p"\n');
  const lines = [
    { payload: 1, routingKey: 'push.a' },
    { payload: 2, routingKey: 'other' },
    { payload: 3 },
  ];
  const input = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await store.ok([...publish, '--stdin', '--envelope', '--routing-key', 'push.b'], { input });
  assert.equal(await store.ok(['consume', 'pushes']), '1\n3\n');
});

test('a message that reaches no queue is an error, not a silence', async () => {
  const store = new TestStore();
  await store.ok(['exchange', 'create', 'events', '--type', 'direct']);
  const answer = await store.call(['publish', '1', '--exchange', 'events', '--routing-key', 'k']);
  assert.equal(answer.code, 1);
  assert.match(answer.stderr, /routes 'k' to no queue.*wherry binding create/);
  const lines = await store.call(['publish', '--stdin', '--exchange', 'events'], { input: '1\n' });
  assert.equal(lines.code, 5);
  assert.equal((await store.call(['publish', '1', '--exchange', 'nothing'])).code, 3);
});

test('bindings by header, and from exchange to exchange', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'paid']);
  await store.ok(['exchange', 'create', 'mail', '--type', 'headers']);
  await store.ok(['exchange', 'create', 'front', '--type', 'fanout']);
  const byHeader = [
    '--exchange',
    'mail',
    '--queue',
    'paid',
    '--header',
    'paid:=true',
    '--header',
    'vip=yes',
  ];
  await store.ok(['binding', 'create', ...byHeader, '--match', 'any']);
  await store.ok(['binding', 'create', '--exchange', 'front', '--destination-exchange', 'mail']);
  const publish = ['publish', '1', '--exchange', 'front', '--header'];
  await store.ok([...publish, 'paid:=true']);
  assert.equal((await store.call([...publish, 'paid=true'])).code, 1);
  assert.equal(await store.ok(['consume', 'paid']), '1\n');
});

test('binding list shows what there is, and filters it', async () => {
  const store = new TestStore();
  for (const queue of ['a', 'b']) await store.ok(['queue', 'create', queue]);
  await store.ok(['exchange', 'create', 'events', '--type', 'direct']);
  for (const queue of ['a', 'b']) {
    await store.ok([
      'binding',
      'create',
      '--exchange',
      'events',
      '--queue',
      queue,
      '--routing-key',
      'k',
    ]);
  }
  const table = await store.ok(['binding', 'list', '--queue', 'a']);
  assert.match(table, /^EXCHANGE +ROUTING KEY +TO +HEADERS\nevents +k +queue a +-\n$/);
  const all = await store.json<{ destination: unknown }[]>([
    'binding',
    'list',
    '--exchange',
    'events',
  ]);
  assert.deepEqual(
    all.map(({ destination }) => destination),
    [
      { type: 'queue', name: 'a' },
      { type: 'queue', name: 'b' },
    ],
  );
});

test('binding delete takes back one binding, and tells when there is none', async () => {
  const store = new TestStore();
  await store.ok(['queue', 'create', 'a']);
  await store.ok(['exchange', 'create', 'events', '--type', 'direct']);
  const binding = ['--exchange', 'events', '--queue', 'a', '--routing-key', 'k'];
  await store.ok(['binding', 'create', ...binding]);
  const other = await store.call(['binding', 'delete', '--exchange', 'events', '--queue', 'a']);
  assert.equal(other.code, 3);
  assert.equal(
    await store.ok(['binding', 'delete', ...binding]),
    "Unbound queue 'a' to exchange 'events' by 'k'.\n",
  );
  assert.deepEqual(await store.json(['binding', 'list']), []);
});

test('binding create checks its options and both ends', async () => {
  const store = new TestStore();
  await store.ok(['exchange', 'create', 'events', '--type', 'direct']);
  const create = ['binding', 'create', '--exchange', 'events'];
  assert.equal((await store.call(create)).code, 2);
  assert.equal(
    (await store.call([...create, '--queue', 'a', '--destination-exchange', 'b'])).code,
    2,
  );
  assert.equal((await store.call([...create, '--queue', 'nothing'])).code, 3);
  assert.equal((await store.call([...create, '--destination-exchange', 'nothing'])).code, 3);
});
