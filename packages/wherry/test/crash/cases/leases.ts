import { type Case, made, redelivered } from './case.ts';

const lone = { bound: false };

const extended = made().send('a').deliver('a', lone);
extended.settle('extend', 'a', 500);

export const leases: readonly Case[] = [
  [
    'again after a retry',
    [],
    made().send('a').deliver('a').settle('retry', 'a').deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'again after its lease',
    [],
    made().send('a').deliver('a', lone).wait(100).deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'again after its holder died',
    [],
    made().send('a').deliver('a').kill().deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'again while it is held',
    ['lease-overlap'],
    made().send('a').deliver('a').deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'the same lease twice',
    ['lease-overlap'],
    made().send('a').deliver('a', { token: 7 }).deliver('a', { token: 7 }).ack('a').audit(),
  ],
  [
    'again while somebody holds it who outlives the process',
    ['lease-overlap'],
    made().send('a').deliver('a', lone).kill().deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'again within an extension',
    ['lease-overlap'],
    extended.wait(200).deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'acknowledged late',
    ['late-settle'],
    made().send('a').deliver('a', lone).wait(150).ack('a').audit(),
  ],
  [
    'late and refused',
    ['stuck'],
    made()
      .send('a')
      .deliver('a', lone)
      .wait(150)
      .refused('ack', 'a')
      .audit({ q: ['a'] }),
  ],
  [
    'settled twice',
    ['settled-twice'],
    made().send('a').deliver('a').ack('a').settle('retry', 'a').audit(),
  ],
  [
    'refused the second time',
    [],
    made().send('a').deliver('a').ack('a').refused('ack', 'a').audit(),
  ],
  [
    'refused to the holder',
    ['refused-settle', 'stuck'],
    made()
      .send('a')
      .deliver('a')
      .refused('ack', 'a')
      .audit({ q: ['a'] }),
  ],
  [
    'tokens that go back',
    ['order', 'token'],
    made()
      .send('a')
      .send('b')
      .deliver('a', { token: 9 })
      .wait(20)
      .deliver('b', { token: 8 })
      .ack('a')
      .ack('b')
      .audit(),
  ],
];
