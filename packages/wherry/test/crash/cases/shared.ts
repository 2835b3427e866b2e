import { type Case, redelivered } from './case.ts';
import { MadeHistory } from './made-history.ts';

const shared = (): MadeHistory => new MadeHistory(true);

/** Several processes have the store open at the same time. */
export const together: readonly Case[] = [
  [
    'one after the other, to and fro',
    [],
    shared()
      .as(1)
      .send('a')
      .as(0)
      .deliver('a')
      .settle('retry', 'a')
      .as(1)
      .deliver('a', redelivered)
      .settle('retry', 'a')
      .as(0)
      .deliver('a', { deliveryCount: 3, retryCount: 2 })
      .ack('a')
      .audit(),
  ],
  [
    'of a holder that died, when its lease has ended',
    [],
    shared().send('a').deliver('a').kill().wait(100).deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'of a holder that died, while its lease goes on',
    ['lease-overlap'],
    shared().send('a').deliver('a').kill().deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'of a holder that lives, to another process',
    ['lease-overlap'],
    shared().send('a').deliver('a').as(1).deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'late, by a process that was held up',
    ['late-settle'],
    shared().send('a').deliver('a', { bound: false }).as(1).wait(200).as(0).ack('a').audit(),
  ],
  [
    'delivered unseen when a connection broke',
    [],
    shared().send('a').fault(10).wait(100).deliver('a', redelivered).ack('a').audit(),
  ],
  [
    'delivered unseen between two that were seen',
    [],
    shared()
      .send('a')
      .deliver('a')
      .settle('retry', 'a')
      .fault(10)
      .wait(100)
      .deliver('a', { deliveryCount: 3, retryCount: 2 })
      .ack('a')
      .audit(),
  ],
  [
    'delivered unseen, and nothing broke',
    ['delivery-count'],
    shared().send('a').wait(100).deliver('a', redelivered).ack('a').fault(10).audit(),
  ],
];
