import { type Case, made } from './case.ts';

export const counts: readonly Case[] = [
  [
    'counts that agree',
    [],
    made()
      .send('a')
      .audit({ q: ['a'] })
      .deliver('a')
      .ack('a')
      .audit(),
  ],
  [
    'counts that do not',
    ['counts'],
    made()
      .send('a')
      .audit({ q: ['a'] }, { ready: 2 })
      .deliver('a')
      .ack('a')
      .audit(),
  ],
  ['bytes of an empty queue', ['counts'], made().audit({ q: [] }, { bytes: 1 })],
  [
    'more than maxSize',
    ['max-size', 'stuck'],
    ['a', 'b', 'c']
      .reduce((history, key) => history.send(key, { queues: ['small'] }), made())
      .audit({ small: ['a', 'b', 'c'] }),
  ],
  ['a purge that says more', ['purge-count'], made().send('a').act('purge', 'q', 2).audit()],
  ['a purge that says less', ['purge-count'], made().send('a').act('purge', 'q', 0).audit()],
];
