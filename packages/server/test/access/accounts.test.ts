import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { TopologyStore } from 'wherry';
import type { Access } from '../../src/access/access.ts';
import { openTestAccess, openTopology, Time } from './fixture.ts';

const rights = [{ vhost: '/', configure: [], write: [], read: ['*'] }];
const admin = { password: 'correct horse', admin: true };

async function storedText(topology: TopologyStore): Promise<string> {
  return JSON.stringify(await topology.load());
}

test('nothing that is stored or shown is a password or a secret', async (t) => {
  const topology = await openTopology(t);
  const { accounts } = await openTestAccess(t, { topology });
  await accounts.putUser('ada', admin);
  const { secret } = await accounts.createToken({ name: 'ci', expiresAt: null });
  const stored = await storedText(topology);
  assert.ok(!stored.includes('correct horse'));
  assert.ok(!stored.includes(secret));
  assert.ok(stored.includes(createHash('sha256').update(secret).digest('hex')));
  assert.match(secret, /^wht_[\w-]{43}$/);
  const shown = JSON.stringify([accounts.listUsers(), accounts.listTokens()]);
  assert.doesNotMatch(shown, /scrypt|digest|wht_/);
  assert.equal(accounts.listTokens()[0]!.lastFour, secret.slice(-4));
});

test('two brokers on one store see the same accounts at once', async (t) => {
  const topology = await openTopology(t);
  const one = await openTestAccess(t, { topology });
  const two = await openTestAccess(t, { topology });
  await one.accounts.putUser('ada', admin);
  const { secret } = await one.accounts.createToken({ name: 'ci', expiresAt: null });
  assert.equal(two.accounts.user('ada')?.admin, true);
  assert.equal(two.accounts.tokenOf(secret)?.name, 'ci');
  await two.accounts.removeToken('ci');
  assert.equal(one.accounts.tokenOf(secret), undefined);
});

test('changes of two brokers to one user at once are both made', async (t) => {
  const topology = await openTopology(t);
  const one = await openTestAccess(t, { topology });
  const two = await openTestAccess(t, { topology });
  await one.accounts.putUser('root', admin);
  await one.accounts.putUser('ada', { password: 'correct horse' });
  await Promise.all([
    one.accounts.putUser('ada', { permissions: rights }),
    two.accounts.putUser('ada', { admin: true }),
  ]);
  const { permissions, admin: isAdmin } = one.accounts.user('ada')!;
  assert.deepEqual({ permissions, isAdmin }, { permissions: rights, isAdmin: true });
});

test('somebody can always administer the broker', async (t) => {
  const { accounts } = await openTestAccess(t);
  const refused = { code: 'LAST_ADMIN' };
  await assert.rejects(accounts.putUser('ada', { password: 'correct horse' }), refused);
  await assert.rejects(accounts.createToken({ name: 'ci', expiresAt: null }), refused);
  // One that will be worth nothing is not for good.
  const soon = Date.now() + 60_000;
  await assert.rejects(accounts.createToken({ name: 'ci', admin: true, expiresAt: soon }), refused);
  assert.ok(accounts.isEmpty);
  await accounts.putUser('ada', admin);
  await assert.rejects(accounts.putUser('ada', { admin: false }), refused);
  await assert.rejects(accounts.removeUser('ada'), refused);
  await accounts.createToken({ name: 'ci', admin: true, expiresAt: null });
  await accounts.removeUser('ada');
  await assert.rejects(accounts.removeToken('ci'), refused);
});

/** The same documents, far away. */
function slowly(topology: TopologyStore): TopologyStore {
  const far = () => new Promise((resolve) => setTimeout(resolve, 10));
  return {
    load: () => topology.load(),
    watch: (listener) => topology.watch(listener),
    put: (entry, version) => far().then(() => topology.put(entry, version)),
    remove: (kind, name, version) => far().then(() => topology.remove(kind, name, version)),
  };
}

test('administrators who remove each other at once do not leave the broker to nobody', async (t) => {
  const topology = slowly(await openTopology(t));
  const one = await openTestAccess(t, { topology });
  const two = await openTestAccess(t, { topology });
  const { accounts } = one;
  for (const other of [one, two]) {
    await accounts.putUser('ada', admin);
    await accounts.putUser('bob', admin);
    const demoted = { admin: false };
    for (const lessen of [
      () => [accounts.removeUser('ada'), other.accounts.removeUser('bob')],
      () => [accounts.putUser('ada', demoted), other.accounts.putUser('bob', demoted)],
      () => [accounts.putUser('ada', demoted), other.accounts.removeUser('bob')],
    ]) {
      const outcomes = await Promise.allSettled(lessen());
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      assert.notEqual(refused.length, 0, 'both were taken');
      for (const { reason } of refused as PromiseRejectedResult[]) {
        assert.equal(reason.code, 'LAST_ADMIN');
      }
      assert.notEqual(accounts.listUsers().filter((user) => user.admin).length, 0);
      for (const name of ['ada', 'bob']) await accounts.putUser(name, admin);
    }
  }
});

test('a broker whose store has had an account is never open to everybody again', async (t) => {
  const topology = await openTopology(t);
  const { accounts } = await openTestAccess(t, { topology });
  assert.ok(accounts.isEmpty);
  await accounts.putUser('ada', admin);
  // As one does who has the store in his hands.
  for (const { kind, name, version } of await topology.load()) {
    if (kind === 'user') await topology.remove(kind, name, version);
  }
  assert.deepEqual(accounts.listUsers(), []);
  assert.equal(accounts.isEmpty, false);
});

test('a token ends by its time', async (t) => {
  const time = new Time();
  const { accounts } = await openTestAccess(t, { now: time.now });
  await accounts.putUser('root', admin);
  const { secret } = await accounts.createToken({ name: 'ci', expiresAt: time.ms + 1_000 });
  time.ms += 999;
  assert.ok(accounts.tokenOf(secret));
  time.ms += 1;
  assert.equal(accounts.tokenOf(secret), undefined);
});

test('a name is one token, whose secret cannot be had again', async (t) => {
  const { accounts } = await openTestAccess(t);
  await accounts.putUser('root', admin);
  const { secret } = await accounts.createToken({ name: 'ci', expiresAt: null });
  const again = accounts.createToken({ name: 'ci', expiresAt: null });
  await assert.rejects(again, { code: 'NAME_TAKEN' });
  assert.ok(accounts.tokenOf(secret));
});

test('what is no secret of ours is no token', async (t) => {
  const { accounts } = await openTestAccess(t);
  await accounts.putUser('root', admin);
  const { secret } = await accounts.createToken({ name: 'ci', expiresAt: null });
  const digest = createHash('sha256').update(secret).digest('hex');
  for (const wrong of ['', 'wht_', `${secret}x`, secret.slice(0, -1), digest, `wht_${digest}`]) {
    assert.equal(accounts.tokenOf(wrong), undefined, wrong);
  }
});

const config = {
  users: [{ name: 'root', password: 'correct horse', admin: true }],
  tokens: [
    {
      name: 'metrics',
      digest: createHash('sha256')
        .update(`wht_${'a'.repeat(43)}`)
        .digest('hex'),
      permissions: rights,
    },
  ],
};

test('accounts of the configuration are changed there', async (t) => {
  const { accounts } = await openTestAccess(t, config);
  const readOnly = { code: 'ACCOUNT_READ_ONLY' };
  await assert.rejects(accounts.putUser('root', { admin: false }), readOnly);
  await assert.rejects(accounts.removeUser('root'), readOnly);
  await assert.rejects(accounts.removeToken('metrics'), readOnly);
  await assert.rejects(accounts.createToken({ name: 'metrics', expiresAt: null }), readOnly);
  assert.equal(accounts.tokenOf(`wht_${'a'.repeat(43)}`)?.name, 'metrics');
  assert.deepEqual(
    [...accounts.listUsers(), ...accounts.listTokens()].map(({ name, source }) => [name, source]),
    [
      ['root', 'config'],
      ['metrics', 'config'],
    ],
  );
  await accounts.configure({ users: config.users });
  assert.equal(accounts.tokenOf(`wht_${'a'.repeat(43)}`), undefined);
});

test('a configuration may have more passwords than may wait to be hashed', async (t) => {
  const users = Array.from({ length: 50 }, (_, i) => ({
    name: `u${i}`,
    password: `password ${i}`,
  }));
  const { accounts, authenticator } = await openTestAccess(t, { users });
  assert.equal(accounts.listUsers().length, 50);
  assert.ok(await authenticator.checkPassword('u49', 'password 49', '::1'));
});

test('a user of the configuration goes before one of the store', async (t) => {
  const topology = await openTopology(t);
  const before = await openTestAccess(t, { topology });
  await before.accounts.putUser('root', { password: 'another one', admin: true });
  const { accounts, authenticator } = await openTestAccess(t, { topology, ...config });
  assert.equal(accounts.listUsers().length, 1);
  assert.equal(await authenticator.checkPassword('root', 'another one', '::1'), null);
  assert.ok(await authenticator.checkPassword('root', 'correct horse', '::1'));
});

test('who is let in is told when that is over', async (t) => {
  const { accounts, authenticator, whenRevoked } = await openTestAccess(t);
  await accounts.putUser('root', admin);
  const { secret } = await accounts.createToken({
    name: 'ci',
    permissions: rights,
    expiresAt: null,
  });
  const enter = async (): Promise<{ ended: () => number }> => {
    const identity = await authenticator.authenticate({
      authorization: `Bearer ${secret}`,
      sessionId: undefined,
      remoteAddress: '::1',
    });
    let calls = 0;
    t.after(whenRevoked(identity!, () => (calls += 1)));
    return { ended: () => calls };
  };
  const ci = await enter();
  await accounts.putUser('ada', { password: 'battery staple' });
  assert.equal(ci.ended(), 0);
  await accounts.removeToken('ci');
  await accounts.removeUser('ada');
  assert.equal(ci.ended(), 1);
});

test('on loopback, whoever comes is an administrator until there is an account', async (t) => {
  const ask = ({ authenticator }: Access, authorization?: string): Promise<unknown> =>
    authenticator.authenticate({ authorization, sessionId: undefined, remoteAddress: '::1' });
  const access = await openTestAccess(t);
  assert.ok(await ask(access));
  // Wrong credentials are wrong all the same.
  assert.equal(await ask(access, 'Bearer x'), null);
  let revoked = false;
  const identity = (await ask(access)) as Parameters<Access['whenRevoked']>[0];
  t.after(access.whenRevoked(identity, () => (revoked = true)));
  await access.accounts.putUser('ada', admin);
  assert.equal(await ask(access), null);
  assert.ok(revoked);
  const elsewhere = await openTestAccess(t, { isLocal: false });
  assert.equal(await ask(elsewhere), null);
});
