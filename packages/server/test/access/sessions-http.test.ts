/** What a browser may do with a session, and what a page of somebody else cannot. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import type { Broker } from '../../src/index.ts';
import { startBroker } from '../broker.ts';
import { basic } from './fixture.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';

const PASSWORD = 'correct horse';
const EVIL = 'https://evil.example.com';
const FRIEND = 'https://mq.example.com';

let broker: Broker;
before(async () => {
  broker = await startBroker({
    users: [{ name: 'ada', password: PASSWORD, admin: true }],
    allowedOrigins: [FRIEND],
    allowedHosts: ['mq.example.com'],
    limits: { loginsPerMinute: 1_000 },
  });
});
after(() => broker.close({ deadline: 0 }));

type Headers = Record<string, string>;

function ask(method: string, path: string, headers: Headers, body?: unknown): Promise<RawAnswer> {
  const json: Headers = body === undefined ? {} : { 'content-type': 'application/json' };
  return rawRequest(
    `${broker.url}/api/v1/${path}`,
    { method, headers: { ...json, ...headers } },
    body === undefined ? undefined : JSON.stringify(body),
  );
}

const codeOf = ({ body }: RawAnswer): unknown => (JSON.parse(body) as { code: unknown }).code;

async function login(
  headers: Headers = {},
): Promise<{ cookie: string; csrf: string; set: string }> {
  const answer = await ask('POST', 'session', headers, { user: 'ada', password: PASSWORD });
  assert.equal(answer.status, 200, answer.body);
  const set = answer.headers['set-cookie']![0]!;
  const csrf = (JSON.parse(answer.body) as { csrfToken: string }).csrfToken;
  return { cookie: set.split(';')[0]!, csrf, set };
}

test('the cookie is for us alone, and says nothing', async () => {
  const { set } = await login();
  assert.match(set, /^wherry_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  // A proxy before us speaks TLS.
  const secure = await login({ origin: FRIEND, host: 'mq.example.com' });
  assert.match(
    secure.set,
    /^__Host-wherry_session=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  );
});

test('each login is another session', async () => {
  const first = await login();
  const second = await login({ cookie: first.cookie });
  assert.notEqual(first.cookie, second.cookie);
});

test('a wrong password, a wrong name and a wrong body look alike', async () => {
  const bodies = [
    { user: 'ada', password: 'wrong horse' },
    { user: 'bob', password: PASSWORD },
    { user: '__proto__', password: PASSWORD },
  ];
  const answers = await Promise.all(bodies.map((body) => ask('POST', 'session', {}, body)));
  const shown = answers.map(({ status, body }) => {
    const { requestId: _requestId, ...problem } = JSON.parse(body) as { requestId: string };
    return { status, problem };
  });
  assert.equal(shown[0]!.status, 401);
  assert.deepEqual(shown[1], shown[0]);
  assert.deepEqual(shown[2], shown[0]);
  assert.ok(answers.every(({ headers }) => headers['set-cookie'] === undefined));
});

test('who guesses is told how long to wait', async (t) => {
  const strict = await startBroker({
    users: [{ name: 'ada', password: PASSWORD, admin: true }],
    limits: { loginsPerMinute: 2 },
  });
  t.after(() => strict.close({ deadline: 0 }));
  const guess = (password: string): Promise<RawAnswer> =>
    rawRequest(
      `${strict.url}/api/v1/session`,
      { method: 'POST', headers: { 'content-type': 'application/json' } },
      JSON.stringify({ user: 'ada', password }),
    );
  assert.equal((await guess('guess 1')).status, 401);
  assert.equal((await guess('guess 2')).status, 401);
  const answer = await guess(PASSWORD);
  assert.deepEqual([answer.status, codeOf(answer)], [429, 'LOGIN_THROTTLED']);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(seconds > 0 && seconds <= 30, `${seconds}`);
});

test('a 401 asks for a token, so that no browser asks for a password by itself', async () => {
  const { headers } = await ask('GET', 'queues', {});
  assert.equal(headers['www-authenticate'], 'Bearer realm="wherry"');
});

describe('with a cookie', () => {
  test('looking needs nothing else', async () => {
    const { cookie, csrf } = await login();
    const answer = await ask('GET', 'session', { cookie });
    assert.equal(answer.status, 200);
    assert.equal((JSON.parse(answer.body) as { csrfToken: string }).csrfToken, csrf);
    assert.equal(answer.headers['cache-control'], 'no-store');
  });

  test('changing needs the token of this very session', async () => {
    const { cookie, csrf } = await login();
    const other = await login();
    const put = (headers: Headers): Promise<RawAnswer> =>
      ask('PUT', 'queues/csrf', { cookie, ...headers }, {});
    for (const wrong of ['', 'x', other.csrf, `${csrf}x`, csrf.slice(1)]) {
      const answer = await put({ 'x-wherry-csrf': wrong });
      assert.deepEqual([answer.status, codeOf(answer)], [403, 'CSRF'], wrong);
    }
    assert.equal(codeOf(await put({})), 'CSRF');
    assert.equal((await put({ 'x-wherry-csrf': csrf })).status, 201);
    for (const [method, path] of [
      ['DELETE', 'queues/csrf'],
      ['POST', 'queues/csrf/purge'],
      ['PATCH', 'queues/csrf'],
      ['DELETE', 'session'],
    ] as const) {
      assert.equal(codeOf(await ask(method, path, { cookie })), 'CSRF', `${method} ${path}`);
    }
  });

  test('logging out ends it for good', async () => {
    const { cookie, csrf } = await login();
    const answer = await ask('DELETE', 'session', { cookie, 'x-wherry-csrf': csrf });
    assert.equal(answer.status, 204);
    assert.match(answer.headers['set-cookie']![0]!, /^wherry_session=; Max-Age=0;/);
    assert.equal((await ask('GET', 'session', { cookie })).status, 401);
  });

  test('what is no session is nobody', async () => {
    for (const value of ['', 'x', '__proto__', '%00', 'a'.repeat(4_000), '"quoted"']) {
      const answer = await ask('GET', 'session', { cookie: `wherry_session=${value}` });
      assert.equal(answer.status, 401, value);
    }
  });

  test('credentials in the header go before it', async () => {
    const { cookie } = await login();
    const authorization = basic('ada', 'wrong horse');
    assert.equal((await ask('GET', 'session', { cookie, authorization })).status, 401);
  });
});

describe('a page of another origin', () => {
  const foreign: Headers[] = [
    { origin: EVIL },
    { origin: 'null' },
    { origin: 'http://localhost:1' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
  ];
  for (const headers of foreign) {
    test(`${JSON.stringify(headers)} can do nothing, whatever it has`, async () => {
      const { cookie, csrf } = await login();
      const authorization = basic('ada', PASSWORD);
      const shown: Headers[] = [
        {},
        { cookie },
        { cookie, 'x-wherry-csrf': csrf },
        { authorization },
      ];
      for (const credentials of shown) {
        const answer = await ask('POST', 'queues/x/purge', { ...credentials, ...headers });
        assert.deepEqual([answer.status, codeOf(answer)], [403, 'ORIGIN_NOT_ALLOWED']);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
      }
      const look = await ask('GET', 'session', { cookie, ...headers });
      assert.equal(codeOf(look), 'ORIGIN_NOT_ALLOWED');
    });
  }

  test('can log nobody in', async () => {
    const answer = await ask(
      'POST',
      'session',
      { origin: EVIL },
      { user: 'ada', password: PASSWORD },
    );
    assert.equal(codeOf(answer), 'ORIGIN_NOT_ALLOWED');
    assert.equal(answer.headers['set-cookie'], undefined);
  });

  for (const path of ['queues/x/push', 'events']) {
    test(`can open no stream at ${path}`, async () => {
      const { cookie } = await login();
      const socket = new WebSocket(`${broker.url.replace('http', 'ws')}/api/v1/${path}`, {
        headers: { cookie, origin: EVIL },
      });
      const status = await new Promise((resolve, reject) => {
        socket.on('open', () => resolve(101));
        socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
        socket.on('error', reject);
      });
      socket.terminate();
      assert.equal(status, 403);
      assert.equal((await ask('GET', path, { cookie, origin: EVIL })).status, 403);
    });
  }

  test('may, with a token, if the configuration names it', async () => {
    const authorization = basic('ada', PASSWORD);
    const answer = await ask('GET', 'queues', { authorization, origin: FRIEND });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], FRIEND);
    assert.equal(answer.headers['access-control-allow-credentials'], undefined);
    const asked = await ask('OPTIONS', 'queues', {
      origin: FRIEND,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization',
    });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers['access-control-allow-origin'], FRIEND);
    assert.equal(asked.headers['access-control-allow-headers'], 'authorization');
    const evil = await ask('OPTIONS', 'queues', { origin: EVIL });
    assert.equal(evil.headers['access-control-allow-origin'], undefined);
  });
});

test('a page whose name was rebound to this machine can do nothing', async () => {
  const { cookie, csrf } = await login();
  const host = 'evil.example.com:7470';
  const origin = `http://${host}`;
  const rebound: Headers = { host, origin, cookie, 'x-wherry-csrf': csrf };
  assert.equal(codeOf(await ask('POST', 'queues/x/purge', rebound)), 'HOST_NOT_ALLOWED');
  assert.equal(codeOf(await ask('GET', 'session', { host, cookie })), 'HOST_NOT_ALLOWED');
  const login2 = await ask('POST', 'session', { host }, { user: 'ada', password: PASSWORD });
  assert.equal(codeOf(login2), 'HOST_NOT_ALLOWED');
  // Who shows credentials is no such page: a name in a private network needs no configuration.
  const authorization = basic('ada', PASSWORD);
  assert.equal((await ask('GET', 'queues', { host: 'broker:7470', authorization })).status, 200);
});

test('while nobody is configured, a page can do nothing either', async (t) => {
  const open = await startBroker();
  t.after(() => open.close({ deadline: 0 }));
  const post = (headers: Headers): Promise<RawAnswer> =>
    rawRequest(`${open.url}/api/v1/queues/x/messages`, { method: 'POST', headers }, 'text');
  const text = { 'content-type': 'text/plain' };
  assert.equal(codeOf(await post({ ...text, origin: EVIL })), 'ORIGIN_NOT_ALLOWED');
  assert.equal(
    codeOf(await post({ ...text, 'sec-fetch-site': 'cross-site' })),
    'ORIGIN_NOT_ALLOWED',
  );
  assert.equal(codeOf(await post({ ...text, host: 'evil.example.com' })), 'HOST_NOT_ALLOWED');
  assert.equal(codeOf(await post(text)), 'QUEUE_NOT_FOUND');
  // A proxy on this machine would make the whole network local.
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
    assert.equal(codeOf(await post({ ...text, [name]: '203.0.113.7' })), 'UNAUTHENTICATED', name);
  }
});

test('answers tell browsers to be careful', async () => {
  const { cookie } = await login();
  const answers = [
    await ask('GET', 'session', { cookie }),
    await ask('GET', 'nothing/here', { cookie }),
    await ask('GET', 'queues', {}),
    await rawRequest(`${broker.url}/`),
    await rawRequest(`${broker.url}/healthz`),
  ];
  for (const { headers } of answers) {
    const policy = headers['content-security-policy'] as string;
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['strict-transport-security'], undefined);
    assert.equal(headers['server'], undefined);
    assert.equal(headers['x-powered-by'], undefined);
  }
});
