/** 200 names that somebody could mean harm by: each is a name, and nothing else. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { basic } from './fixture.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';

const PASSWORD = 'correct horse';

/** Between, before and after other characters, and alone. */
const MARKS = [
  ...Array.from('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'),
  '..',
  '../',
  '//',
  '%2F',
  '%00',
  '%252e',
  '{}',
  '${x}',
  '\u202e',
  '\u0301',
  '😀',
  '\uffff',
];
const WHOLE = [
  'a\u2028b',
  'a\u00a0b',
  '../../../etc/passwd',
  String.raw`..\..\windows\win.ini`,
  '/etc/passwd',
  'file:///etc/passwd',
  'C:\\nul',
  '.*',
  '^.*$',
  '(a+)+$',
  '[a-z]*',
  'a|b',
  '?',
  '**',
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'then',
  'null',
  'undefined',
  'NaN',
  'true',
  '0',
  '-1',
  "'; DROP TABLE message; --",
  '" OR ""="',
  "return redis.call('FLUSHALL')",
  '{q1}:q',
  '*:*',
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  'javascript:alert(1)',
  '{{7*7}}',
  '$(id)',
  '`id`',
  '|id',
  '%s%n%x',
  'A'.repeat(255),
  '€'.repeat(85),
];
const NAMES = [
  ...new Set([...MARKS.flatMap((mark) => [mark, `a${mark}b`, `${mark}a`, `a${mark}`]), ...WHOLE]),
];

/** What is refused: it would end a line of a log or of a header, or could not be told from another. */
const REFUSED = [
  'a\r\nSet-Cookie: x=1',
  'a\nb',
  'a\u0000b',
  '\u007f',
  '\u001b[31m',
  ' a',
  'a ',
  '\ta',
  '\u00a0a',
  '\u2028a',
  'A'.repeat(256),
  '€'.repeat(86),
];

let broker: Broker;
let store: string;
before(async () => {
  store = await mkdtemp(join(tmpdir(), 'wherry-names-'));
  broker = await startBroker({
    store,
    users: [{ name: 'root', password: PASSWORD, admin: true }],
    limits: { loginsPerMinute: 10_000 },
  });
});
after(async () => {
  await broker.close({ deadline: 0 });
  await rm(store, { recursive: true, force: true });
});

const agent = new Agent({ keepAlive: true, maxSockets: 8 });
after(() => agent.destroy());

/** All of them, eight at a time. */
async function each<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** The path as it is given: nobody on the way makes another of it. */
function ask(
  method: string,
  path: string,
  body?: unknown,
  authorization = basic('root', PASSWORD),
): Promise<RawAnswer> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  return rawRequest(
    broker.url,
    { agent, method, path: `/api/v1/${path}`, headers: { authorization, ...json } },
    body === undefined ? undefined : JSON.stringify(body),
  );
}

/** Everything but letters and digits is percent-encoded, dots too. */
function encode(name: string): string {
  const hex = (byte: number): string => `%${byte.toString(16).padStart(2, '0')}`;
  return [...Buffer.from(name)]
    .map((byte) => (/\w/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : hex(byte)))
    .join('');
}

async function call<Body>(method: string, path: string, body?: unknown): Promise<Body> {
  const answer = await ask(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
  return (answer.body === '' ? null : JSON.parse(answer.body)) as Body;
}

test(`${NAMES.length} names are queues, each its own`, async () => {
  assert.ok(NAMES.length >= 200);
  await each(NAMES, async (name) => {
    const path = `queues/${encode(name)}`;
    const made = await ask('PUT', path, {});
    assert.equal(made.status, 201, `${JSON.stringify(name)}: ${made.body}`);
    assert.equal((JSON.parse(made.body) as { name: string }).name, name);
    await call('POST', `${path}/messages`, { payload: name });
  });
  await each(NAMES, async (name) => {
    const { messages } = await call<{ messages: { payload: string }[] }>(
      'GET',
      `queues/${encode(name)}/messages`,
    );
    assert.deepEqual(
      messages.map(({ payload }) => payload),
      [name],
    );
  });
  assert.deepEqual((await readdir(store)).toSorted(), ['data.mdb', 'lock.mdb']);
});

test('a permission for just one of them is for no other', async () => {
  await call('PUT', 'queues/victim', {});
  const exact = NAMES.filter((name) => !name.includes('*'));
  await each([...exact.entries()], async ([i, name]) => {
    const token = { name: `only ${i}`, permissions: [{ read: [name] }] };
    const { secret } = await call<{ secret: string }>('POST', 'tokens', token);
    const read = async (queue: string): Promise<number> =>
      (await ask('GET', `queues/${encode(queue)}`, undefined, `Bearer ${secret}`)).status;
    assert.equal(await read(name), 200, JSON.stringify(name));
    const neighbour = exact[(i + 1) % exact.length]!;
    for (const other of ['victim', neighbour]) {
      assert.equal(
        await read(other),
        403,
        `${JSON.stringify(name)} opens ${JSON.stringify(other)}`,
      );
    }
  });
});

test('they are users and tokens too, but for a colon in a user', async () => {
  await each(NAMES, async (name) => {
    const path = `users/${encode(name)}`;
    const made = await ask('PUT', path, { password: PASSWORD });
    assert.equal(
      made.status,
      name.includes(':') ? 400 : 201,
      `${JSON.stringify(name)}: ${made.body}`,
    );
    if (name.includes(':')) return;
    const whoami = await ask('GET', 'session', undefined, basic(name, PASSWORD));
    const { identity } = JSON.parse(whoami.body) as { identity: { name: string; admin: boolean } };
    assert.deepEqual([identity.name, identity.admin], [name, false]);
    await call('POST', 'tokens', { name });
    await call('DELETE', `tokens/${encode(name)}`);
    await call('DELETE', path);
  });
  const { users } = await call<{ users: { name: string }[] }>('GET', 'users');
  assert.deepEqual(
    users.map(({ name }) => name),
    ['root'],
  );
});

test('names that could hide or break something are refused', async () => {
  for (const name of REFUSED) {
    for (const [method, path, body] of [
      ['PUT', `queues/${encode(name)}`, {}],
      ['PUT', `users/${encode(name)}`, { password: PASSWORD }],
      ['PUT', `vhosts/${encode(name)}`, {}],
      ['POST', 'tokens', { name }],
    ] as const) {
      const { status, body: text, headers } = await ask(method, path, body);
      assert.equal(status, 400, `${method} ${path}: ${text}`);
      assert.equal(headers['set-cookie'], undefined);
      // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
      assert.doesNotMatch(text, /[\u0000-\u001f]/);
    }
  }
});
