/** Everything is logged, everything goes wrong that can: no secret is written anywhere. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';
import { basic } from './fixture.ts';
import { rawRequest } from './raw-request.ts';

const CONFIGURED = 'configured-SECRET-1';
const STORED = 'stored-SECRET-2';
const WRONG = 'mistyped-SECRET-3';

test('neither logs nor answers tell a secret', async (t) => {
  let written = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  const log = { level: 'trace', format: 'json', requests: true } as const;
  const broker = await startBroker(
    {
      log,
      users: [{ name: 'root', password: CONFIGURED, admin: true }],
      limits: { loginsPerMinute: 1_000 },
    },
    { logger: createLogger(log, stream) },
  );
  t.after(() => broker.close({ deadline: 0 }));
  const root = new Client(broker, { authorization: basic('root', CONFIGURED) });
  await root.call('PUT', 'users/ada', { password: STORED });
  const { secret } = await root.call<{ secret: string }>('POST', 'tokens', { name: 'ci' });
  const session = await root.ask('POST', 'session', { user: 'ada', password: STORED });
  const cookie = session.headers.get('set-cookie')!.split(';')[0]!;
  const { csrfToken } = session.body as { csrfToken: string };

  const secrets = {
    CONFIGURED,
    STORED,
    WRONG,
    secret,
    cookie: cookie.split('=')[1]!,
    csrfToken,
    basic: basic('root', CONFIGURED).slice('Basic '.length),
  };
  let told = '';
  const ask = async (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<void> => {
    const answer = await rawRequest(`${broker.url}/api/v1/${path}`, { method, headers }, body);
    told += `${method} ${path.split('?')[0]}: ${answer.status} ${JSON.stringify(answer.headers)} ${answer.body}\n`;
  };
  const json = { 'content-type': 'application/json' };
  const authorization = basic('root', CONFIGURED);
  const shown: Record<string, string>[] = [
    { authorization },
    { authorization: basic('root', WRONG) },
    { authorization: basic(WRONG, CONFIGURED) },
    { authorization: `Bearer ${secret}` },
    { authorization: `Bearer ${secret}x` },
    { authorization: secret },
    { cookie },
    { cookie, 'x-wherry-csrf': csrfToken },
    { cookie, 'x-wherry-csrf': `${csrfToken}x` },
    { cookie: `${cookie}x` },
    { cookie, origin: 'https://evil.example.com' },
    { cookie, host: 'evil.example.com' },
  ];
  for (const headers of shown) {
    for (const path of ['session', 'queues/none', 'users', 'tokens', 'metrics', 'whoami']) {
      await ask('GET', path, headers);
    }
    await ask('PUT', 'queues/x', { ...headers, ...json }, '{"maxSize":0}');
  }
  const bodies = [
    { user: 'ada', password: WRONG },
    { user: 'ada', password: [STORED] },
    { user: 'ada', passwort: STORED },
    { user: { password: STORED } },
    { user: 'ada', password: STORED.repeat(100) },
    [STORED],
    STORED,
  ];
  for (const body of bodies) await ask('POST', 'session', json, JSON.stringify(body));
  const broken = [`{"password":"${STORED}"`, `{"password":${STORED}}`, STORED, `${STORED}{`];
  for (const body of broken) await ask('POST', 'session', json, body);
  const withRoot = { ...json, authorization };
  for (const body of [
    { password: WRONG, admin: 'yes' },
    { password: { value: WRONG } },
    { passwordHash: WRONG },
    { password: WRONG, passwordHash: WRONG },
    { secret: WRONG, __proto__: { password: WRONG } },
    { password: 'short' },
  ]) {
    await ask('PUT', 'users/bob', withRoot, JSON.stringify(body));
  }
  // Who puts a secret into an address finds it nowhere in ours.
  await ask('GET', `queues?token=${secret}&password=${CONFIGURED}`, {});
  await ask('GET', `queues?token=${secret}`, { authorization });
  await root.ask('DELETE', 'tokens/ci');
  await broker.close();

  assert.match(written, /"path":"\/api\/v1\/session"/);
  // Who did what is written, and where from somebody could not.
  const lines = written.split('\n').filter((line) => line !== '');
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const done = entries.filter(({ msg }) => msg === 'Administered');
  assert.deepEqual(
    done.slice(0, 2).map(({ by, action, path, status }) => ({ by, action, path, status })),
    [
      { by: 'root', action: 'putUser', path: '/api/v1/users/ada', status: 201 },
      { by: 'root', action: 'createToken', path: '/api/v1/tokens', status: 201 },
    ],
  );
  const failed = entries.find(({ msg }) => msg === 'A login failed');
  assert.equal(failed?.['address'], '127.0.0.1');
  assert.match(told, /INVALID_JSON|BAD_REQUEST/);
  for (const [name, value] of Object.entries(secrets)) {
    assert.ok(!written.includes(value), `the log has ${name}: ${lineWith(written, value)}`);
    // A session's owner is told its token.
    if (name === 'csrfToken') continue;
    assert.ok(!told.includes(value), `an answer has ${name}: ${lineWith(told, value)}`);
  }
  for (const text of [written, told]) {
    assert.doesNotMatch(text, /\$scrypt\$ln=\d+,r=\d+,p=\d+\$\w{22}/);
    assert.doesNotMatch(text, /\bwht_\w/);
  }
});

function lineWith(text: string, value: string): string {
  return text.split('\n').find((line) => line.includes(value)) ?? '';
}
