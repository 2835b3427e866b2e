import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Passwords, checkPasswordHash, hashPassword } from '../../src/access/passwords.ts';
import { CHEAP } from '../broker.ts';

test('a hash says how it was made, and costs what OWASP asks for', async () => {
  const stored = await hashPassword('correct horse');
  assert.match(stored, /^\$scrypt\$ln=17,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  // Checked with what the string says, whatever this one's own are.
  const passwords = new Passwords({ cost: CHEAP });
  assert.equal(await passwords.verify('correct horse', stored), true);
  assert.equal(await passwords.verify('correct horsf', stored), false);
});

test('the same password twice is two hashes', async () => {
  const passwords = new Passwords({ cost: CHEAP });
  assert.notEqual(await passwords.hash('correct horse'), await passwords.hash('correct horse'));
});

test('one character in two forms of Unicode is one password', async () => {
  const passwords = new Passwords({ cost: CHEAP });
  const stored = await passwords.hash('pässword-é');
  assert.equal(await passwords.verify('pässword-é'.normalize('NFD'), stored), true);
});

test('a password that is short, long or missing is refused, and not shown', async () => {
  const passwords = new Passwords({ cost: CHEAP });
  for (const password of ['', 'secret7', 'x'.repeat(1_025)]) {
    await assert.rejects(passwords.hash(password), (error: Error & { code: string }) => {
      assert.equal(error.code, 'VALIDATION');
      return password === '' || !error.message.includes(password);
    });
  }
  const stored = await passwords.hash('x'.repeat(1_024));
  assert.equal(await passwords.verify('x'.repeat(1_024), stored), true);
  assert.equal(await passwords.verify('x'.repeat(1_000_000), stored), false);
  assert.equal(await passwords.verify('', stored), false);
});

test('a hash that would cost too much, or is none, is refused', () => {
  const tail = '$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  checkPasswordHash(`$scrypt$ln=17,r=8,p=1${tail}`);
  for (const hash of [
    '',
    'correct horse',
    `$scrypt$ln=24,r=8,p=1${tail}`,
    `$scrypt$ln=17,r=8,p=99${tail}`,
    `$scrypt$ln=0,r=8,p=1${tail}`,
    `$scrypt$ln=17,r=0,p=1${tail}`,
    `$argon2id$v=19$m=65536,t=3,p=4${tail}`,
    `$scrypt$ln=17,r=8,p=1${tail}\n`,
  ]) {
    assert.throws(() => checkPasswordHash(hash), { code: 'VALIDATION' }, hash);
  }
});

test('a user who does not exist costs as much as one who does', async (t) => {
  const passwords = new Passwords({ cost: { N: 2 ** 14, r: 8, p: 1 } });
  const stored = await passwords.hash('correct horse');
  const time = async (hash: string | undefined): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const start = performance.now();
      assert.equal(await passwords.verify('wrong horse', hash), false);
      times.push(performance.now() - start);
    }
    return times.toSorted((a, b) => a - b)[3]!;
  };
  const [known, unknown] = [await time(stored), await time(undefined)];
  t.diagnostic(`known ${known.toFixed(1)} ms, unknown ${unknown.toFixed(1)} ms`);
  assert.ok(unknown > known / 2 && unknown < known * 2, `${known} ms and ${unknown} ms`);
});

test('few at once are worked on, few wait, the rest is turned away', async () => {
  const passwords = new Passwords({ cost: CHEAP, concurrency: 2, waiting: 3 });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, () => passwords.hash('correct horse')),
  );
  const refused = results.flatMap((one) =>
    one.status === 'rejected' ? [one.reason as { code: string; retryAfter: number }] : [],
  );
  assert.deepEqual(
    refused.map(({ code, retryAfter }) => ({ code, retryAfter })),
    Array.from({ length: 5 }, () => ({ code: 'OVERLOADED', retryAfter: 2 })),
  );
  // Whoever was let in gave the place back.
  await Promise.all(Array.from({ length: 5 }, () => passwords.hash('correct horse')));
});
