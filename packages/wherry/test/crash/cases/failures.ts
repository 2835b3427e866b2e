import { type Case, DIED, failedThrice, made, redelivered } from './case.ts';

const died = { queue: 'dead', deaths: DIED } as const;
const sentBack = { deaths: DIED } as const;

export const failures: readonly Case[] = [
  ['a death after all retries', [], failedThrice().deliver('a', died).ack('a').audit()],
  [
    'one delivery too many',
    ['retries'],
    failedThrice().deliver('a', { deliveryCount: 4, retryCount: 3 }).ack('a').audit(),
  ],
  [
    'a delivery that was not counted',
    ['delivery-count'],
    made().send('a').deliver('a').kill().deliver('a').ack('a').audit(),
  ],
  [
    'a gap without a cause',
    ['delivery-count'],
    made()
      .send('a')
      .deliver('a')
      .settle('retry', 'a')
      .deliver('a', { deliveryCount: 3, retryCount: 2 })
      .ack('a')
      .audit(),
  ],
  [
    'a gap that a death explains',
    [],
    made()
      .send('a')
      .deliver('a')
      .settle('retry', 'a')
      .kill()
      .deliver('a', { deliveryCount: 3, retryCount: 2 })
      .ack('a')
      .audit(),
  ],
  [
    'a first delivery that is not the first',
    ['delivery-count', 'retries'],
    made().send('a').deliver('a', { deliveryCount: 2 }).ack('a').audit(),
  ],
  [
    'a retry count reset',
    ['retries'],
    made()
      .send('a')
      .deliver('a')
      .kill()
      .deliver('a', { deliveryCount: 2, retryCount: 0 })
      .ack('a')
      .audit(),
  ],
  [
    'a requeue that counts as a retry',
    ['retries'],
    made().send('a').deliver('a').settle('requeue', 'a').deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'a requeue',
    [],
    made()
      .send('a')
      .deliver('a')
      .settle('requeue', 'a')
      .deliver('a', { deliveryCount: 2 })
      .ack('a')
      .audit(),
  ],
  [
    'a death too early',
    ['dead-letter'],
    made().send('a').deliver('a').settle('retry', 'a').deliver('a', died).ack('a').audit(),
  ],
  [
    'a rejection',
    [],
    made()
      .send('a')
      .deliver('a')
      .settle('dead-letter', 'a')
      .deliver('a', { queue: 'dead', deaths: [['q', 'rejected', 1]] })
      .ack('a')
      .audit(),
  ],
  [
    'a rejection by nobody',
    ['dead-letter', 'lease-overlap'],
    made()
      .send('a')
      .deliver('a')
      .deliver('a', { queue: 'dead', deaths: [['q', 'rejected', 1]] })
      .ack('a')
      .audit(),
  ],
  [
    'dead without a death',
    ['dead-letter'],
    made().send('a').deliver('a', { queue: 'dead' }).ack('a').audit(),
  ],
  [
    'redriven',
    [],
    failedThrice()
      .deliver('a', died)
      .settle('requeue', 'a')
      .act('redrive', 'dead', 1)
      .deliver('a', sentBack)
      .ack('a')
      .audit(),
  ],
  [
    'back by itself',
    ['dead-letter'],
    failedThrice()
      .deliver('a', died)
      .settle('requeue', 'a')
      .deliver('a', sentBack)
      .ack('a')
      .audit(),
  ],
  [
    'expired too early',
    ['dead-letter'],
    made()
      .send('a', { queues: ['kept'] })
      .deliver('a', { queue: 'dead', deaths: [['kept', 'expired', 1]] })
      .ack('a')
      .audit(),
  ],
  [
    'put out of a queue that drops',
    [],
    made()
      .send('a', { queues: ['dropping'] })
      .deliver('a', { queue: 'dead', deaths: [['dropping', 'overflow', 1]] })
      .ack('a')
      .audit(),
  ],
  [
    'put out of a queue that does not',
    ['dead-letter'],
    made()
      .send('a')
      .deliver('a', { queue: 'dead', deaths: [['q', 'overflow', 1]] })
      .ack('a')
      .audit(),
  ],
];
