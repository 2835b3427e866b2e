import { type Case, DIED, failedThrice, made } from './case.ts';
import { storedMessage } from './made-history.ts';

const doubtful = made();
doubtful.sending('a');

const acknowledgedInDoubt = made().send('a').deliver('a');
acknowledgedInDoubt.settling('ack', 'a');

const halfFanOut = made();
halfFanOut.sending('a', { queues: ['q', 'r'] });
halfFanOut.kill().deliver('a@q').ack('a@q').audit({ r: [] });

const wholeFanOut = made();
wholeFanOut.sending('a', { queues: ['q', 'r'] });
wholeFanOut.kill().deliver('a@q').ack('a@q').deliver('a@r', { queue: 'r' }).ack('a@r').audit();

const halfBatch = made();
halfBatch.sending('a', { atomicBatch: 7 });
halfBatch.sending('b', { atomicBatch: 7 });
halfBatch.kill().deliver('a').ack('a').audit();

const twice = { deduplicationId: 'once' };
const storedTwice = made().send('a', twice);
storedTwice.sent(storedTwice.sending('a', twice), 'a@2');

export const stored: readonly Case[] = [
  ['sent, delivered, acknowledged', [], made().send('a').deliver('a').ack('a').audit()],
  ['confirmed and nowhere', ['lost'], made().send('a').audit({ q: [] })],
  ['confirmed and nowhere after a kill', ['lost'], made().send('a').kill().audit({ q: [] })],
  [
    'confirmed and still there',
    ['stuck'],
    made()
      .send('a')
      .audit({ q: ['a'] }),
  ],
  [
    'there, then gone',
    ['lost'],
    made()
      .send('a')
      .audit({ q: ['a'] })
      .kill()
      .audit({ q: [] }),
  ],
  ['never confirmed and nowhere', [], doubtful.kill().audit()],
  ['acknowledged, perhaps', [], acknowledgedInDoubt.kill().audit()],
  ['purged', [], made().send('a').act('purge', 'q', 1).audit()],
  [
    'expired',
    [],
    made()
      .send('a', { queues: ['short'] })
      .wait(60)
      .audit(),
  ],
  [
    'gone before it expired',
    ['lost'],
    made()
      .send('a', { queues: ['short'] })
      .wait(20)
      .audit(),
  ],
  [
    'expired, but kept',
    ['lost'],
    made()
      .send('a', { queues: ['kept'] })
      .wait(60)
      .audit(),
  ],

  ['delivered though never sent', ['phantom'], made().deliver('a').ack('a')],
  ['delivered though refused', ['phantom'], made().refuse('a').deliver('a').ack('a').audit()],
  [
    'in another queue',
    ['phantom', 'lost'],
    made()
      .send('a')
      .audit({ r: ['a'] })
      .audit(),
  ],

  ['one key, one id', [], made().send('a', twice).send('a', twice).deliver('a').ack('a').audit()],
  ['one key, two ids', ['doubled'], storedTwice.deliver('a').ack('a').audit()],
  [
    'one key, delivered with two ids',
    ['doubled'],
    made().send('a', twice).deliver('a').ack('a').deliver('a@2').ack('a@2').audit(),
  ],
  ['half a fan-out', ['torn'], halfFanOut],
  ['a whole fan-out', [], wholeFanOut],
  ['half an atomic batch', ['torn'], halfBatch],

  ['another body', ['altered'], made().send('a').deliver('a', { bodyHash: 'x' }).ack('a').audit()],
  [
    'another priority',
    ['altered'],
    made().send('a').deliver('a', { priority: 1 }).ack('a').audit(),
  ],
  ['another group', ['altered'], made().send('a').deliver('a', { group: 'g' }).ack('a').audit()],

  [
    'delivered after its acknowledgement',
    ['acknowledged-again'],
    made().send('a').deliver('a').ack('a').kill().deliver('a', { deliveryCount: 2, retryCount: 1 }),
  ],
  [
    'stored after its acknowledgement',
    ['acknowledged-again', 'stuck'],
    made()
      .send('a')
      .deliver('a')
      .ack('a')
      .kill()
      .audit({ q: ['a'] }),
  ],
  [
    'in two queues',
    ['two-places', 'stuck'],
    failedThrice().audit({ q: ['a'], dead: [storedMessage('a', { deaths: DIED })] }),
  ],
];
