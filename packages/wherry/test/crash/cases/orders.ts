import { type Case, made, redelivered } from './case.ts';
import type { MadeHistory } from './made-history.ts';

/** Sends and takes in the same order, or not. */
function inTurn(
  sent: readonly string[],
  taken: readonly string[],
  fields: object = {},
): MadeHistory {
  const history = made();
  for (const key of sent) history.send(key, fields);
  history.wait(10);
  for (const key of taken) history.deliver(key, fields).ack(key);
  return history.audit();
}

const priorities = (taken: readonly string[]): MadeHistory => {
  const history = made().send('low').send('high', { priority: 5 }).wait(10);
  for (const key of taken) history.deliver(key, { priority: key === 'high' ? 5 : 0 }).ack(key);
  return history.audit();
};

const pipelined = made();
const second = pipelined.sending('b');
const first = pipelined.sending('a');
pipelined.sent(second, 'b').sent(first, 'a').deliver('a').ack('a').deliver('b').ack('b').audit();

const inGroup = { group: 'g' };
const again = { ...inGroup, ...redelivered };

export const orders: readonly Case[] = [
  ['first come', [], inTurn(['a', 'b'], ['a', 'b'])],
  ['first served last', ['order'], inTurn(['a', 'b'], ['b', 'a'])],
  ['sent at the same time', [], pipelined],
  [
    'handed back in between',
    [],
    made().send('a').send('b').deliver('b').ack('b').act('stop', 'q').deliver('a').ack('a').audit(),
  ],
  ['higher first', [], priorities(['high', 'low'])],
  ['lower first', ['priority'], priorities(['low', 'high'])],
  ['a group in order', [], inTurn(['a', 'b'], ['a', 'b'], inGroup)],
  ['a group out of order', ['group-order'], inTurn(['a', 'b'], ['b', 'a'], inGroup)],
  [
    'a group that does not wait for a retry',
    ['group-order'],
    made()
      .send('a', inGroup)
      .send('b', inGroup)
      .deliver('a', inGroup)
      .settle('retry', 'a')
      .deliver('b', inGroup)
      .ack('b')
      .deliver('a', again)
      .ack('a')
      .audit(),
  ],
  [
    'a group with two holders',
    ['group-shared'],
    made()
      .send('a', inGroup)
      .send('b', inGroup)
      .deliver('a', inGroup)
      .deliver('b', inGroup)
      .ack('a')
      .ack('b')
      .audit(),
  ],
  [
    'a group in one batch',
    [],
    made()
      .send('a', inGroup)
      .send('b', inGroup)
      .deliver('a', { ...inGroup, batch: 9 })
      .deliver('b', { ...inGroup, batch: 9 })
      .settle('retry', 'a')
      .ack('b')
      .deliver('a', again)
      .ack('a')
      .audit(),
  ],
];
