import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoginThrottle, THROTTLE_KEYS_MAX, networkOf } from '../../src/access/throttle.ts';
import { Time } from './fixture.ts';

const refused = { code: 'LOGIN_THROTTLED' };

function throttle(perMinute = 10): { time: Time; throttle: LoginThrottle } {
  const time = new Time();
  return { time, throttle: new LoginThrottle({ perMinute, now: time.now }) };
}

test('ten wrong passwords a minute, then one more every six seconds', () => {
  const { throttle: logins, time } = throttle();
  for (let i = 0; i < 10; i++) logins.begin('ada', '10.0.0.1');
  assert.throws(() => logins.begin('ada', '10.0.0.1'), { ...refused, retryAfter: 6 });
  time.ms += 5_900;
  assert.throws(() => logins.begin('ada', '10.0.0.1'), { ...refused, retryAfter: 1 });
  time.ms += 100;
  logins.begin('ada', '10.0.0.1');
  assert.throws(() => logins.begin('ada', '10.0.0.1'), refused);
});

test('right passwords do not count', () => {
  const { throttle: logins } = throttle();
  for (let i = 0; i < 1_000; i++) logins.begin('ada', '10.0.0.1')();
});

test('what is under way counts as wrong, or many at once would get round it', () => {
  const { throttle: logins } = throttle(3);
  const succeeded = [1, 2, 3].map(() => logins.begin('ada', '10.0.0.1'));
  assert.throws(() => logins.begin('ada', '10.0.0.1'), refused);
  for (const one of succeeded) one();
  logins.begin('ada', '10.0.0.1');
});

test('who is locked out at one address may try from another', () => {
  const { throttle: logins } = throttle();
  for (let i = 0; i < 10; i++) logins.begin('ada', '10.0.0.1');
  assert.throws(() => logins.begin('ada', '10.0.0.1'), refused);
  logins.begin('ada', '10.0.0.2');
});

test('one address cannot try name after name', () => {
  const { throttle: logins } = throttle();
  for (let i = 0; i < 30; i++) logins.begin(`user-${i}`, '10.0.0.1');
  assert.throws(() => logins.begin('user-30', '10.0.0.1'), refused);
});

test('one name cannot be tried from address after address', () => {
  const { throttle: logins } = throttle();
  for (let i = 0; i < 100; i++) logins.begin('ada', `10.0.1.${i}`);
  assert.throws(() => logins.begin('ada', '10.0.2.1'), refused);
});

test('the addresses of one IPv6 network are one', () => {
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:db8:1:2::7'), '2001:db8:1:2::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
  assert.equal(networkOf('::ffff:10.0.0.1'), '10.0.0.1');
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  const { throttle: logins } = throttle();
  for (let i = 0; i < 10; i++) logins.begin('ada', `2001:db8::${i + 1}`);
  assert.throws(() => logins.begin('ada', '2001:db8::ffff'), refused);
});

test('it remembers so many, and forgets who is refused no sooner for it', () => {
  const { throttle: logins } = throttle();
  for (let i = 0; i < 10; i++) logins.begin('ada', '10.0.0.1');
  // Refused tries with other names must not push the memory of the first out.
  for (let i = 0; i < 20; i++) logins.begin(`user-${i}`, '10.0.0.1');
  for (let i = 0; i < THROTTLE_KEYS_MAX; i++) {
    assert.throws(() => logins.begin(`other-${i}`, '10.0.0.1'), refused);
  }
  assert.throws(() => logins.begin('ada', '10.0.0.1'), refused);
});

test('a clock that is set back lets nobody in', () => {
  const { throttle: logins, time } = throttle(1);
  logins.begin('ada', '10.0.0.1');
  time.ms -= 3_600_000;
  assert.throws(() => logins.begin('ada', '10.0.0.1'), refused);
  time.ms += 3_660_000;
  logins.begin('ada', '10.0.0.1');
});
