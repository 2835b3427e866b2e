import { type Case, made, redelivered } from './case.ts';
import type { MadeHistory } from './made-history.ts';

export const times: readonly Case[] = [
  ['after its delay', [], made().send('a', { delay: 30 }).wait(30).deliver('a').ack('a').audit()],
  [
    'before its delay',
    ['early'],
    made().send('a', { delay: 30 }).wait(10).deliver('a').ack('a').audit(),
  ],
  ['after the back-off', [], slowly(40)],
  ['before the back-off', ['early'], slowly(10)],
  [
    'before the wait asked for',
    ['early'],
    made()
      .send('a')
      .deliver('a')
      .settle('retry', 'a', 30)
      .wait(10)
      .deliver('a', redelivered)
      .ack('a')
      .audit(),
  ],
  ['within its TTL', [], made().send('a', { ttl: 50 }).wait(30).deliver('a').ack('a').audit()],
  ['past its TTL', ['late'], made().send('a', { ttl: 50 }).wait(70).deliver('a').ack('a').audit()],
  [
    "past the queue's TTL",
    ['late'],
    made()
      .send('a', { queues: ['short'] })
      .wait(70)
      .deliver('a', { queue: 'short' })
      .ack('a')
      .audit(),
  ],
];

/** The second back-off of `slow` is 40 ms. */
function slowly(wait: number): MadeHistory {
  const fields = { queue: 'slow' };
  return made()
    .send('a', { queues: ['slow'] })
    .deliver('a', fields)
    .settle('retry', 'a')
    .wait(20)
    .deliver('a', { ...fields, ...redelivered })
    .settle('retry', 'a')
    .wait(wait)
    .deliver('a', { ...fields, deliveryCount: 3, retryCount: 2 })
    .ack('a')
    .audit();
}
