import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Access, AccessOptions } from '../../src/access/access.ts';
import type { Identity } from '../../src/access/identity.ts';
import { basic, openTestAccess, Time } from './fixture.ts';

const config = { users: [{ name: 'ada', password: 'correct: horse', admin: true }] };
/** Costs about 40 ms each. */
const DEAR = { cost: { N: 2 ** 14, r: 8, p: 1 }, concurrency: 1, waiting: 1 };

function open(t: TestContext, options: Partial<AccessOptions> = {}): Promise<Access> {
  return openTestAccess(t, { ...config, ...options });
}

function ask({ authenticator }: Access, authorization: string): Promise<Identity | null> {
  return authenticator.authenticate({
    authorization,
    sessionId: undefined,
    remoteAddress: '10.0.0.1',
  });
}

test('Basic and Bearer, in any letters', async (t) => {
  const access = await open(t);
  const { secret } = await access.accounts.createToken({ name: 'ci', expiresAt: null });
  for (const header of [
    basic('ada', 'correct: horse'),
    basic('ada', 'correct: horse').replace('Basic', 'bAsIc  '),
  ]) {
    assert.equal((await ask(access, header))?.name, 'ada', header);
  }
  for (const header of [`Bearer ${secret}`, `bearer   ${secret}`]) {
    assert.equal((await ask(access, header))?.name, 'ci', header);
  }
});

test('whatever else is in the header is nobody', async (t) => {
  const access = await open(t, { loginsPerMinute: 1_000 });
  const { secret } = await access.accounts.createToken({ name: 'ci', expiresAt: null });
  const none = Buffer.from('ada').toString('base64');
  for (const header of [
    '',
    'Basic',
    'Bearer',
    'Basic ',
    `Basic ${none}`,
    'Basic ====',
    secret,
    `Token ${secret}`,
    `Bearer ${secret} ${secret}`,
    `Bearer ${secret.toUpperCase()}`,
    `Basic ${secret}`,
    basic('', ''),
    basic('ada', ''),
    basic('', 'correct: horse'),
    basic('ADA', 'correct: horse'),
    basic('ada', 'correct'),
    basic('__proto__', 'x'),
    basic('constructor', 'x'),
    basic('ci', secret),
  ]) {
    assert.equal(await ask(access, header), null, header);
  }
});

test('a right password is hashed once, a changed one is not believed any more', async (t) => {
  const time = new Time();
  const access = await openTestAccess(t, { now: time.now, passwords: DEAR });
  await access.accounts.putUser('ada', { password: 'correct horse', admin: true });
  const header = basic('ada', 'correct horse');
  assert.ok(await ask(access, header));
  const start = performance.now();
  for (let i = 0; i < 500; i++) assert.ok(await ask(access, header));
  const ms = performance.now() - start;
  // One hash costs more than that.
  assert.ok(ms < 500 * 5, `${ms} ms`);
  await access.accounts.putUser('ada', { password: 'another one' });
  assert.equal(await ask(access, header), null);
  assert.ok(await ask(access, basic('ada', 'another one')));
});

test('requests that come at once with one password share its check', async (t) => {
  const access = await openTestAccess(t, { passwords: DEAR, ...config });
  const header = basic('ada', 'correct: horse');
  // Two checks would be one more than may wait.
  const identities = await Promise.all(Array.from({ length: 50 }, () => ask(access, header)));
  assert.ok(identities.every((identity) => identity?.name === 'ada'));
});

test('who guesses is slowed down; who knows, and was here before, is not', async (t) => {
  const access = await open(t, { loginsPerMinute: 3 });
  const right = basic('ada', 'correct: horse');
  assert.ok(await ask(access, right));
  for (let i = 0; i < 3; i++) assert.equal(await ask(access, basic('ada', `guess ${i}`)), null);
  await assert.rejects(ask(access, basic('ada', 'guess 4')), { code: 'LOGIN_THROTTLED' });
  assert.ok(await ask(access, right));
  const { secret } = await access.accounts.createToken({ name: 'ci', expiresAt: null });
  assert.ok(await ask(access, `Bearer ${secret}`));
});
