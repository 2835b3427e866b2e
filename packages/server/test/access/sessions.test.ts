import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SESSIONS_MAX, SESSION_IDLE_MS, SESSION_LENGTH_MS } from '../../src/access/sessions.ts';
import { openTestAccess, openTopology, Time } from './fixture.ts';

const config = {
  users: [
    { name: 'ada', password: 'correct horse', admin: true },
    { name: 'bob', password: 'battery staple' },
  ],
};

test('a session holds on every broker of the store, after a restart too, and ends on all', async (t) => {
  const topology = await openTopology(t);
  const one = await openTestAccess(t, { topology, ...config });
  const two = await openTestAccess(t, { topology, ...config });
  const id = await one.sessions.begin('ada', one.accounts.user('ada')!);
  assert.equal(two.sessions.find(id)?.user, 'ada');
  assert.equal(two.sessions.find(id)?.csrfToken, one.sessions.find(id)?.csrfToken);
  one.close();
  const restarted = await openTestAccess(t, { topology, ...config });
  assert.equal(restarted.sessions.find(id)?.user, 'ada');
  await two.sessions.end(id);
  assert.equal(restarted.sessions.find(id), null);
});

test('the store has neither the id nor the token', async (t) => {
  const topology = await openTopology(t);
  const { sessions, accounts } = await openTestAccess(t, { topology, ...config });
  const id = await sessions.begin('ada', accounts.user('ada')!);
  const stored = JSON.stringify(await topology.load());
  assert.ok(stored.includes('"session"'));
  assert.ok(!stored.includes(id));
  assert.ok(!stored.includes(sessions.find(id)!.csrfToken));
});

test('a session ends when it is not used, and at the latest after its length', async (t) => {
  const time = new Time();
  const { sessions, accounts } = await openTestAccess(t, { now: time.now, ...config });
  const ada = accounts.user('ada')!;
  const idle = await sessions.begin('ada', ada);
  time.ms += SESSION_IDLE_MS - 1;
  assert.ok(sessions.find(idle));
  const other = await sessions.begin('ada', ada);
  time.ms += SESSION_IDLE_MS;
  assert.equal(sessions.find(other), null);

  const used = await sessions.begin('ada', ada);
  const start = time.ms;
  while (time.ms < start + SESSION_LENGTH_MS - SESSION_IDLE_MS / 2) {
    assert.ok(sessions.find(used), `after ${time.ms - start} ms`);
    time.ms += SESSION_IDLE_MS / 2;
    // What the store is told of comes back through it.
    await new Promise(setImmediate);
  }
  assert.ok(sessions.find(used));
  time.ms = start + SESSION_LENGTH_MS;
  assert.equal(sessions.find(used), null);
});

test('another password ends the sessions of its user, another right does not', async (t) => {
  const { sessions, accounts } = await openTestAccess(t);
  await accounts.putUser('root', { password: 'correct horse', admin: true });
  await accounts.putUser('ada', { password: 'correct horse' });
  const [ada, root] = [
    await sessions.begin('ada', accounts.user('ada')!),
    await sessions.begin('root', accounts.user('root')!),
  ];
  await accounts.putUser('ada', { admin: true });
  assert.ok(sessions.find(ada));
  await accounts.putUser('ada', { password: 'another one' });
  assert.equal(sessions.find(ada), null);
  assert.ok(sessions.find(root));
  await accounts.removeUser('root');
  assert.equal(sessions.find(root), null);
});

test('a broker of another configuration lets nobody in, and ends no session', async (t) => {
  const topology = await openTopology(t);
  const own = await openTestAccess(t, { topology, ...config });
  const others = [
    await openTestAccess(t, { topology }),
    await openTestAccess(t, {
      topology,
      users: [{ name: 'ada', password: 'another one', admin: true }],
    }),
  ];
  const id = await own.sessions.begin('ada', own.accounts.user('ada')!);
  for (const { sessions } of others) assert.equal(sessions.find(id), null);
  await others[1]!.sessions.begin('ada', others[1]!.accounts.user('ada')!);
  await new Promise(setImmediate);
  assert.equal(own.sessions.find(id)?.user, 'ada');
});

test('a user has so many sessions, the oldest of which goes, and nobody else loses one', async (t) => {
  const time = new Time();
  const { sessions, accounts } = await openTestAccess(t, { now: time.now, ...config });
  const bob = await sessions.begin('bob', accounts.user('bob')!);
  const ids: string[] = [];
  for (let i = 0; i <= SESSIONS_MAX.perUser; i++) {
    time.ms += 1;
    ids.push(await sessions.begin('ada', accounts.user('ada')!));
  }
  assert.equal(sessions.find(ids[0]!), null);
  assert.ok(ids.slice(1).every((id) => sessions.find(id) !== null));
  assert.ok(sessions.find(bob));
});

test('a connection that was opened with a session ends with it', async (t) => {
  const { sessions, accounts, authenticator, whenRevoked } = await openTestAccess(t, config);
  const sessionId = await sessions.begin('ada', accounts.user('ada')!);
  const other = await sessions.begin('ada', accounts.user('ada')!);
  const credentials = { authorization: undefined, sessionId, remoteAddress: '::1' };
  const identity = await authenticator.authenticate(credentials);
  let isOver = false;
  t.after(whenRevoked(identity!, () => (isOver = true)));
  await sessions.end(other);
  assert.ok(!isOver);
  await sessions.end(sessionId);
  assert.ok(isOver);
});

test('what is no id of a session is none', async (t) => {
  const { sessions, accounts } = await openTestAccess(t, config);
  const id = await sessions.begin('ada', accounts.user('ada')!);
  for (const wrong of ['', 'x', `${id}x`, id.slice(1), '__proto__', 'constructor']) {
    assert.equal(sessions.find(wrong), null, wrong);
  }
});
