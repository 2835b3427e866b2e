import assert from 'node:assert/strict';
import type { EventMap, MessageQueueSystem } from '../../src/index.ts';
import {
  ExchangeNotFoundError,
  QueueFullError,
  QueueNotFoundError,
  ScheduleNotFoundError,
  SerializationError,
  ValidationError,
} from '../../src/index.ts';
import { eachStore, until } from './fixture.ts';
import { LASTING_STORES, SHARED_STORES } from './places.ts';

const MINUTE = 60_000;
const message = { payload: 'tick' };

/** The ticks of all messages in a queue, in the order of the queue. */
async function ticksIn(mq: MessageQueueSystem, queue: string): Promise<string[]> {
  const { messages } = await mq.browse(queue, { limit: 1_000 });
  return messages.map((envelope) => envelope.message.headers!['scheduled-at'] as string);
}

/** A store gives bytes as a Buffer or not. */
function plain(payload: unknown): unknown {
  return payload instanceof Uint8Array ? Array.from(payload) : payload;
}

function listenToErrors(mq: MessageQueueSystem): EventMap['scheduleError'][] {
  const errors: EventMap['scheduleError'][] = [];
  mq.events.on('scheduleError', (event) => errors.push(event));
  return errors;
}

eachStore('a message for each tick, with the schedule and the tick in it', async (fixture) => {
  const { open, advance, clock } = fixture;
  const mq = await open({ queues: [{ name: 'q' }] });
  const made = await mq.upsertSchedule('reports', {
    cron: '30 2 * * *',
    timezone: 'Europe/Berlin',
    queue: 'q',
    message: { payload: { kind: 'daily' }, priority: 7, correlationId: 'mine', headers: { a: 1 } },
  });
  assert.equal(made.lastTick, null);
  const [next, afterwards] = await mq.nextTicks('reports', 2);
  assert.equal(next!.toISOString(), '2030-01-01T01:30:00.000Z');
  clock.advanceTo(next!.getTime() - 1);
  await advance(0);
  assert.deepEqual(await ticksIn(mq, 'q'), []);
  await advance(1);
  await until(() => mq.getSchedule('reports').sent === 1);
  clock.advanceTo(afterwards!.getTime());
  await until(() => mq.getSchedule('reports').sent === 2);
  const { messages } = await mq.browse('q');
  assert.deepEqual(
    messages.map((one) => [one.timestamp, one.message]),
    [next!, afterwards!].map((tick) => [
      tick.getTime(),
      {
        payload: { kind: 'daily' },
        priority: 7,
        correlationId: 'mine',
        headers: { a: 1, schedule: 'reports', 'scheduled-at': tick.toISOString() },
      },
    ]),
  );
  const { lastTick, sent } = mq.getSchedule('reports');
  assert.deepEqual([lastTick, sent], [afterwards, 2]);
});

eachStore('every kind of payload comes out as it went in', async ({ open, advance }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const payloads = ['text', { a: [1, null] }, new Uint8Array([0, 255, 128])];
  for (const [i, payload] of payloads.entries()) {
    await mq.upsertSchedule(`s${i}`, { every: '1m', queue: 'q', message: { payload } });
    assert.deepEqual(mq.getSchedule(`s${i}`).message.payload, payload);
  }
  await advance(MINUTE);
  const { messages } = await mq.browse('q');
  const sent = messages.toSorted((a, b) =>
    String(a.message.headers!['schedule']) < String(b.message.headers!['schedule']) ? -1 : 1,
  );
  assert.deepEqual(
    sent.map((one) => plain(one.message.payload)),
    payloads.map(plain),
  );
});

eachStore('through an exchange: to every queue that it routes to, or to none', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open({ queues: [{ name: 'a' }, { name: 'b' }] });
  await mq.createExchange({ name: 'x', type: 'topic' });
  await mq.upsertSchedule('s', { every: '1m', exchange: 'x', routingKey: 'tick.s', message });
  await advance(MINUTE);
  for (const queue of ['a', 'b']) {
    await mq.bind({ exchange: 'x', queue, routingKey: 'tick.*' });
  }
  await advance(MINUTE);
  const second = ['2030-01-01T00:02:00.000Z'];
  assert.deepEqual(await ticksIn(mq, 'a'), second);
  assert.deepEqual(await ticksIn(mq, 'b'), second);
  assert.equal(mq.getSchedule('s').sent, 2);
});

eachStore(
  'a restart goes on where it was; catchUp says what of the time between',
  async (fixture) => {
    const { open, clock, advance } = fixture;
    const queues = ['none', 'latest', 'all'] as const;
    const mq = await open({ queues: queues.map((name) => ({ name })) });
    for (const catchUp of queues) {
      await mq.upsertSchedule(catchUp, { every: '10m', queue: catchUp, message, catchUp });
    }
    await advance(10 * MINUTE);
    await mq.close();
    clock.advance(35 * MINUTE);
    const again = await open();
    await until(async () => (await ticksIn(again, 'all')).length === 4);
    // In a shared store, whoever did not send the last tick first leaves the next to the one that did.
    await advance(5 * MINUTE + 1_000);
    const at = (minutes: number): string => `2030-01-01T00:${minutes}:00.000Z`;
    assert.deepEqual(await ticksIn(again, 'none'), [at(10), at(50)]);
    assert.deepEqual(await ticksIn(again, 'latest'), [at(10), at(40), at(50)]);
    assert.deepEqual(await ticksIn(again, 'all'), [at(10), at(20), at(30), at(40), at(50)]);
  },
  LASTING_STORES,
);

eachStore(
  'no tick is lost by a quick restart',
  async ({ open, clock, advance }) => {
    const schedules = [{ name: 's', every: '1m', queue: 'q', message, catchUp: 'none' as const }];
    const config = { queues: [{ name: 'q' }], schedules };
    const mq = await open(config);
    await advance(MINUTE - 5_000);
    await mq.close();
    clock.advance(10_000);
    const again = await open(config);
    await until(async () => (await ticksIn(again, 'q')).length === 1);
    await advance(MINUTE);
    assert.equal((await ticksIn(again, 'q')).length, 2);
    assert.equal(again.getSchedule('s').sent, 2);
  },
  LASTING_STORES,
);

eachStore('upsert: giving what is there changes nothing, other things at once', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open({ queues: [{ name: 'q' }, { name: 'other' }] });
  const config = { every: '10m', queue: 'q', message } as const;
  const made = await mq.upsertSchedule('s', config);
  await advance(5 * MINUTE);
  assert.deepEqual(await mq.upsertSchedule('s', { ...config }), made);
  await advance(5 * MINUTE);
  assert.equal((await ticksIn(mq, 'q')).length, 1);
  // At the moment of a tick: it belongs to whom the schedule was before.
  await advance(10 * MINUTE);
  await mq.upsertSchedule('s', { every: '10m', queue: 'other', message });
  await advance(10 * MINUTE);
  const at = (minutes: number): string => `2030-01-01T00:${minutes}:00.000Z`;
  assert.deepEqual(await ticksIn(mq, 'q'), [at(10), at(20)]);
  assert.deepEqual(await ticksIn(mq, 'other'), [at(30)]);
  await mq.upsertSchedule('s', { cron: '*/7 * * * *', queue: 'other', message });
  await advance(5 * MINUTE);
  assert.deepEqual(await ticksIn(mq, 'other'), [at(30), at(35)]);
  assert.equal(mq.getSchedule('s').sent, 4);
});

eachStore('pause and resume: what passes meanwhile is not made up', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open({ queues: [{ name: 'q' }] });
  await mq.upsertSchedule('s', { every: '10m', queue: 'q', message, catchUp: 'all' });
  await advance(10 * MINUTE);
  assert.equal((await mq.pauseSchedule('s')).paused, true);
  assert.deepEqual(await mq.nextTicks('s'), []);
  await advance(25 * MINUTE);
  // An upsert leaves it paused.
  await mq.upsertSchedule('s', { every: '10m', queue: 'q', message, catchUp: 'latest' });
  await advance(10 * MINUTE);
  assert.equal((await ticksIn(mq, 'q')).length, 1);
  assert.equal((await mq.resumeSchedule('s')).paused, false);
  await advance(5 * MINUTE);
  const at = (minutes: number): string => `2030-01-01T00:${minutes}:00.000Z`;
  assert.deepEqual(await ticksIn(mq, 'q'), [at(10), at(50)]);
});

eachStore('a schedule that is removed and made again begins anew', async ({ open, advance }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const config = { cron: '* * * * *', queue: 'q', message };
  await mq.upsertSchedule('s', config);
  await advance(2 * MINUTE);
  await mq.removeSchedule('s');
  assert.deepEqual(mq.listSchedules(), []);
  await advance(2 * MINUTE);
  assert.equal((await ticksIn(mq, 'q')).length, 2);
  await mq.upsertSchedule('s', config);
  await advance(MINUTE);
  assert.equal((await ticksIn(mq, 'q')).length, 3);
  assert.equal(mq.getSchedule('s').sent, 1);
  for (const call of ['getSchedule', 'nextTicks', 'pauseSchedule', 'removeSchedule'] as const) {
    await assert.rejects(async () => mq[call]('nowhere'), ScheduleNotFoundError);
  }
});

eachStore('startAt, endAt, limit', async ({ open, clock, advance }) => {
  const mq = await open({ queues: [{ name: 'q' }, { name: 'limited' }] });
  const startAt = new Date(clock.now() + 90_000);
  const endAt = new Date(clock.now() + 210_000);
  await mq.upsertSchedule('span', { every: '1m', queue: 'q', message, startAt, endAt });
  await mq.upsertSchedule('limited', { every: '1m', queue: 'limited', message, limit: 2 });
  assert.equal((await mq.nextTicks('span', 10)).length, 3);
  assert.equal((await mq.nextTicks('limited', 10)).length, 2);
  await advance(10 * MINUTE);
  assert.deepEqual(await ticksIn(mq, 'q'), [
    '2030-01-01T00:01:30.000Z',
    '2030-01-01T00:02:30.000Z',
    '2030-01-01T00:03:30.000Z',
  ]);
  assert.equal((await ticksIn(mq, 'limited')).length, 2);
  assert.deepEqual(await mq.nextTicks('limited'), []);
});

eachStore(
  'a full queue: told, tried again, sent when there is room',
  async (fixture) => {
    const { open, advance } = fixture;
    const mq = await open({ queues: [{ name: 'q', maxSize: 1, overflow: 'block' }] });
    const errors = listenToErrors(mq);
    await mq.sendMessage('q', message);
    await mq.upsertSchedule('s', { every: '1h', queue: 'q', message });
    await advance(60 * MINUTE + 5 * MINUTE);
    assert.ok(errors.length > 3);
    assert.ok(errors.every(({ error, givenUp }) => error instanceof QueueFullError && !givenUp));
    assert.equal(mq.getSchedule('s').lastTick, null);
    await (await mq.receiveMessage('q', 'me'))!.acknowledge();
    await advance(MINUTE);
    assert.deepEqual(await ticksIn(mq, 'q'), ['2030-01-01T01:00:00.000Z']);
  },
  ['memory'],
);

eachStore(
  'a tick that cannot be sent is given up, as catchUp says',
  async (fixture) => {
    const { open, advance } = fixture;
    const queues = ['none', 'latest', 'all'] as const;
    const mq = await open({ queues: queues.map((name) => ({ name, maxSize: 1 })) });
    const errors = listenToErrors(mq);
    for (const catchUp of queues) {
      await mq.sendMessage(catchUp, message);
      await mq.upsertSchedule(catchUp, { every: '5m', queue: catchUp, message, catchUp });
    }
    await advance(12 * MINUTE);
    const givenUp = errors.filter((error) => error.givenUp).map(({ schedule }) => schedule);
    assert.deepEqual(
      givenUp.map(String).toSorted((a, b) => (a < b ? -1 : 1)),
      ['latest', 'none', 'none'],
    );
    for (const name of queues) {
      await mq.updateQueue(name, { maxSize: null });
      await mq.purgeQueue(name);
    }
    await advance(MINUTE);
    const at = (minutes: string): string => `2030-01-01T00:${minutes}:00.000Z`;
    assert.deepEqual(await ticksIn(mq, 'none'), []);
    assert.deepEqual(await ticksIn(mq, 'latest'), [at('10')]);
    assert.deepEqual(await ticksIn(mq, 'all'), [at('05'), at('10')]);
  },
  ['memory'],
);

eachStore('a queue that is deleted: told, until the schedule goes elsewhere', async (fixture) => {
  const { open, advance } = fixture;
  const mq = await open({ queues: [{ name: 'q' }, { name: 'other' }] });
  const errors = listenToErrors(mq);
  await mq.upsertSchedule('s', { every: '1m', queue: 'q', message, catchUp: 'all' });
  await mq.deleteQueue('q');
  await advance(MINUTE);
  await until(() => errors.length > 0);
  assert.ok(errors[0]!.error instanceof QueueNotFoundError);
  await mq.upsertSchedule('s', { every: '1m', queue: 'other', message, catchUp: 'all' });
  await advance(3 * MINUTE);
  // The tick that was due before the change was the other queue's, and is given up.
  assert.deepEqual(
    errors.filter(({ givenUp }) => givenUp).map(({ tick }) => tick),
    [Date.UTC(2030, 0, 1, 0, 1)],
  );
  assert.deepEqual(await ticksIn(mq, 'other'), [
    '2030-01-01T00:02:00.000Z',
    '2030-01-01T00:03:00.000Z',
    '2030-01-01T00:04:00.000Z',
  ]);
});

eachStore(
  'several systems on one server: each tick once, also when one leaves',
  async ({ open, advance }) => {
    const schedule = { every: '10s', queue: 'q', message, catchUp: 'all' } as const;
    const config = { queues: [{ name: 'q' }], schedules: [{ name: 's', ...schedule }] };
    const systems = await Promise.all([open(config), open(config), open(config)]);
    const [first, second, last] = systems;
    await advance(31_000);
    await first.close();
    await advance(30_000);
    const changed = { ...schedule, message: { payload: 'changed' } };
    await Promise.all([second, last].map((mq) => mq.upsertSchedule('s', changed)));
    await advance(30_000);
    await until(() => last.getSchedule('s').sent === 9);
    const ticks = await ticksIn(last, 'q');
    const { createdAt } = last.getSchedule('s');
    assert.deepEqual(
      ticks,
      Array.from({ length: 9 }, (_, i) =>
        new Date(createdAt.getTime() + (i + 1) * 10_000).toISOString(),
      ),
    );
  },
  SHARED_STORES,
);

eachStore('wrong schedules are refused', async ({ open }) => {
  const mq = await open({ queues: [{ name: 'q' }] });
  const good = { queue: 'q', every: '1m', message };
  const wrong: readonly object[] = [
    { queue: 'q', message },
    { ...good, cron: '* * * * *' },
    { ...good, timezone: 'UTC' },
    { queue: 'q', message, cron: 'at noon' },
    { queue: 'q', message, cron: '* * * * *', timezone: 'Mars/Olympus' },
    { ...good, every: '500ms' },
    { every: '1m', message },
    { ...good, exchange: 'x' },
    { ...good, routingKey: 'x' },
    { ...good, catchUp: 'some' },
    { ...good, limit: 0 },
    { ...good, startAt: 'tomorrow' },
    { ...good, startAt: 2, endAt: 1 },
    { ...good, surprise: true },
    { ...good, message: undefined },
    { ...good, message: { payload: 1, deliverAt: 5 } },
    { ...good, message: { payload: 1, priority: 256 } },
    { ...good, message: { payload: 1, headers: { schedule: 'mine' } } },
    { ...good, message: { payload: 1, headers: 'none' } },
    { ...good, message: { payload: 'x'.repeat(70_000) } },
  ];
  for (const config of wrong) {
    await assert.rejects(mq.upsertSchedule('s', config as typeof good), ValidationError);
  }
  const unknown = { ...good, queue: 'nowhere' };
  await assert.rejects(mq.upsertSchedule('s', unknown), QueueNotFoundError);
  const exchange = { every: '1m', message, exchange: 'nowhere' };
  await assert.rejects(mq.upsertSchedule('s', exchange), ExchangeNotFoundError);
  const date = { ...good, message: { payload: new Date() } };
  await assert.rejects(mq.upsertSchedule('s', date), SerializationError);
  await assert.rejects(mq.upsertSchedule('', good), ValidationError);
  assert.deepEqual(mq.listSchedules(), []);
});
