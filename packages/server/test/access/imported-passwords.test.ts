/** Passwords that RabbitMQ has hashed: good until the first login, which replaces them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { Access } from '../../src/access/access.ts';
import { checkPasswordHash, importPasswordHash, Passwords } from '../../src/access/passwords.ts';
import { CHEAP } from '../broker.ts';
import { openTestAccess, openTopology } from './fixture.ts';

/** As RabbitMQ's definitions have it. */
function rabbitHash(password: string, algorithm = 'sha256'): string {
  const salt = Buffer.from([1, 2, 3, 4]);
  const hash = createHash(algorithm).update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}

const SHA256 = 'rabbit_password_hashing_sha256';
const SHA512 = 'rabbit_password_hashing_sha512';

/** Two brokers on one store; ada, whose password is short, came from RabbitMQ. */
async function openTwo(t: TestContext): Promise<[Access, Access]> {
  const topology = await openTopology(t);
  const options = { topology, loginsPerMinute: 1_000 };
  const first = await openTestAccess(t, options);
  const passwordHash = importPasswordHash(SHA256, rabbitHash('hmm'));
  await first.accounts.putUser('ada', { passwordHash, admin: true });
  return [first, await openTestAccess(t, options)];
}

const login = ({ authenticator }: Access, password: string): Promise<unknown> =>
  authenticator.login('ada', password, '10.0.0.1');

test('both kinds of hashes are checked, byte for byte', async () => {
  const passwords = new Passwords({ cost: CHEAP });
  for (const [name, algorithm] of [
    [SHA256, 'sha256'],
    [SHA512, 'sha512'],
  ] as const) {
    const stored = importPasswordHash(name, rabbitHash('pässword', algorithm));
    assert.equal(await passwords.verify('pässword', stored), true);
    assert.equal(await passwords.verify('password', stored), false);
    assert.equal(await passwords.verify('', stored), false);
    assert.throws(() => checkPasswordHash(stored), { code: 'VALIDATION' });
  }
});

test('what is no such hash is refused', () => {
  const good = rabbitHash('x');
  for (const [algorithm, hash] of [
    ['rabbit_password_hashing_md5', good],
    ['', good],
    [SHA256, ''],
    [SHA256, good.slice(4)],
    [SHA512, good],
    [SHA256, `${good.slice(0, -4)}!!!!`],
  ] as const) {
    assert.throws(() => importPasswordHash(algorithm, hash), { code: 'VALIDATION' }, hash);
  }
});

test('a user who does not exist takes as long as one that was imported', async () => {
  const passwords = new Passwords({ cost: { N: 2 ** 15, r: 8, p: 1 } });
  const stored = importPasswordHash(SHA256, rabbitHash('x'));
  const time = async (hash: string | undefined): Promise<number> => {
    const begun = performance.now();
    await passwords.verify('wrong', hash);
    return performance.now() - begun;
  };
  await time(undefined);
  const [nobody, imported] = [await time(undefined), await time(stored)];
  assert.ok(imported > nobody / 4, `${imported} ms, and ${nobody} ms for nobody`);
});

test('the first login replaces the hash, and whoever logged in with it stays', async (t) => {
  const [first] = await openTwo(t);
  assert.equal(await login(first, 'hm'), null);
  assert.match(first.accounts.user('ada')!.passwordHash, /^\$rabbitmq-sha256\$/);
  const identity = (await login(first, 'hmm')) as Parameters<Access['whenRevoked']>[0];
  assert.match(first.accounts.user('ada')!.passwordHash, /^\$scrypt\$/);
  assert.equal(first.authenticator.isPresent(identity), true);
  assert.notEqual(await login(first, 'hmm'), null);
  assert.equal(await login(first, 'hm'), null);
});

test('two brokers that replace it at the same time both let the user in', async (t) => {
  const brokers = await openTwo(t);
  const identities = await Promise.all(brokers.map((broker) => login(broker, 'hmm')));
  for (const [i, broker] of brokers.entries()) {
    const identity = identities[i] as Parameters<Access['whenRevoked']>[0];
    assert.equal(broker.authenticator.isPresent(identity), true);
  }
});

test('a password that was changed meanwhile is not let in with the former one', async (t) => {
  const [first, second] = await openTwo(t);
  const { accounts } = second;
  const replaceHash = accounts.replaceHash.bind(accounts);
  // Between the check and the replacement, an administrator gives another password.
  accounts.replaceHash = async (...args) => {
    await first.accounts.putUser('ada', { password: 'another one' });
    return replaceHash(...args);
  };
  assert.equal(await login(second, 'hmm'), null);
  assert.notEqual(await login(second, 'another one'), null);
});
