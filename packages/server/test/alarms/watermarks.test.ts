import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Alarms } from '../../src/alarms/alarms.ts';
import { memorySize, type Probes, SYSTEM_PROBES } from '../../src/alarms/probes.ts';
import { Watermarks, type WatermarksParts } from '../../src/alarms/watermarks.ts';
import { ConfigError } from '../../src/config/errors.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { startBroker } from '../broker.ts';
import { Client } from '../client.ts';

const GIB = 2 ** 30;
const IDLE = { used: 0, heap: 0, heapMax: 4 * GIB };

interface Watched {
  readonly alarms: Alarms;
  readonly watermarks: Watermarks;
  readonly said: string[];
  readonly failures: unknown[];
}

/** Watermarks over numbers that a test sets. */
function watch(probes: Partial<Probes>, parts: Partial<WatermarksParts> = {}): Watched {
  const alarms = new Alarms();
  const said: string[] = [];
  alarms.watch({
    raised: ({ kind, reason }) => said.push(`${kind}: ${reason}`),
    cleared: (kind) => said.push(`${kind} is over`),
  });
  const failures: unknown[] = [];
  const watermarks = new Watermarks({
    alarms,
    folder: '/',
    diskFree: 1_000,
    memory: GIB,
    failed: (_what, error) => failures.push(error),
    probes: {
      freeDisk: async () => 10_000,
      memory: () => IDLE,
      collect: () => {},
      ...probes,
    },
    ...parts,
  });
  return { alarms, watermarks, said, failures };
}

test('an alarm is over only when there is a little more room than what raised it', async () => {
  let free = 1_000;
  const { alarms, watermarks, said } = watch({ freeDisk: async () => free });
  const at = async (bytes: number): Promise<boolean> => {
    free = bytes;
    await watermarks.look();
    return alarms.has('disk');
  };
  assert.deepEqual(
    [
      await at(1_000),
      await at(999),
      await at(0),
      await at(1_049),
      await at(1_050),
      await at(1_049),
    ],
    [false, true, true, true, false, false],
  );
  assert.deepEqual(said, ['disk: low on disk', 'disk is over']);
});

test('memory counts as in use when it still is after a collection', async () => {
  let used = 2 * GIB;
  let garbage = 0;
  const collected: number[] = [];
  const { alarms, watermarks, said } = watch({
    memory: () => ({ ...IDLE, used: used + garbage }),
    collect: () => {
      collected.push(garbage);
      garbage = 0;
    },
  });
  [used, garbage] = [GIB / 2, 2 * GIB];
  await watermarks.look();
  assert.deepEqual([alarms.has('memory'), collected], [false, [2 * GIB]]);
  used = GIB + 1;
  await watermarks.look();
  assert.match(alarms.active()[0]!.detail, /^1024 MiB of memory are in use, at most 1024 MiB/);
  used = GIB - 1;
  await watermarks.look();
  assert.ok(alarms.has('memory'));
  used = GIB / 2;
  await watermarks.look();
  assert.deepEqual(said, ['memory: low on memory', 'memory is over']);
  assert.equal(collected.length, 1, 'a collection costs time: one in a while');
});

test('a heap that is nearly full is an alarm, however much memory the machine has', async () => {
  const { alarms, watermarks } = watch(
    {
      memory: () => ({ used: 3.9 * GIB, heap: 3.5 * GIB, heapMax: 4 * GIB }),
      // As it is where nothing is to be had back.
    },
    { memory: 100 * GIB },
  );
  await watermarks.look();
  assert.match(alarms.active()[0]!.detail, /3584 MiB of them in a heap of 4096 MiB/);
});

test('a disk that cannot be looked at is told of once, and 0 turns a watermark off', async () => {
  const broken = new Error('no such file system');
  const freeDisk = async (): Promise<number> => {
    throw broken;
  };
  const { alarms, watermarks, failures } = watch({ freeDisk });
  await watermarks.look();
  await watermarks.look();
  assert.deepEqual([failures, alarms.active()], [[broken], []]);
  const off = watch(
    { freeDisk, memory: () => ({ ...IDLE, used: 9 * GIB }) },
    { diskFree: 0, memory: 0 },
  );
  await off.watermarks.look();
  assert.deepEqual([off.failures, off.alarms.active()], [[], []]);
});

test('memory that cannot be looked at is told of once, and looked at again', async () => {
  const broken = new Error('too many open files');
  let isBroken = true;
  const { alarms, watermarks, failures } = watch({
    memory: () => {
      if (isBroken) throw broken;
      return { ...IDLE, used: 2 * GIB };
    },
    freeDisk: async () => 0,
  });
  await watermarks.look();
  await watermarks.look();
  assert.deepEqual([failures, alarms.has('disk')], [[broken], true]);
  isBroken = false;
  await watermarks.look();
  assert.ok(alarms.has('memory'));
});

test('a file system that hangs is asked once, and memory is looked at all the same', async () => {
  let used = 0;
  let asked = 0;
  const { alarms, watermarks } = watch({
    memory: () => ({ ...IDLE, used }),
    freeDisk: () => {
      asked++;
      return new Promise<number>(() => {});
    },
  });
  void watermarks.look();
  await new Promise(setImmediate);
  used = 2 * GIB;
  await watermarks.look();
  assert.deepEqual([asked, alarms.has('memory')], [1, true]);
});

test('what is measured is there, and messages in memory are seen', async () => {
  assert.ok((await SYSTEM_PROBES.freeDisk('/')) > 0);
  assert.ok(memorySize() > 2 ** 28 && memorySize() < 2 ** 50);
  SYSTEM_PROBES.collect();
  const { used: before, heap, heapMax } = SYSTEM_PROBES.memory();
  assert.ok(heap < heapMax);
  // In a function of its own: what is on the stack is in use.
  const withMessages = (): number => {
    const messages = Array.from({ length: 100 }, () => Buffer.alloc(2 ** 20, 1));
    return SYSTEM_PROBES.memory().used - messages.length;
  };
  const full = withMessages();
  assert.ok(full - before > 90 * 2 ** 20, `${full - before} more`);
  SYSTEM_PROBES.collect();
  const { used: after } = SYSTEM_PROBES.memory();
  assert.ok(after - before < 20 * 2 ** 20, `${after - before} more when they are gone`);
});

test('a broker that has too little memory from the start takes nothing, and gives what it has', async () => {
  await using broker = await startBroker({ limits: { memory: '1mb' }, queues: [{ name: 'q' }] });
  const client = new Client(broker);
  const send = { payload: 1 };
  for (const [path, body] of [
    ['queues/q/messages', send],
    ['queues/q/messages/batch', { messages: [send] }],
    ['exchanges/amq.direct/publish', { routingKey: 'q', message: send }],
  ] as const) {
    const { status, body: problem } = await client.ask('POST', path, body);
    assert.deepEqual([status, problem['code']], [503, 'OVERLOADED'], path);
    assert.match(String(problem['detail']), /limits\.memory/);
  }
  const received = await client.ask('POST', 'queues/q/receive', { max: 1 });
  assert.equal(received.status, 200);
});

test('limits.memory is a share or bytes', () => {
  const read = (memory: number | string): number =>
    parseConfig({ limits: { memory } }).limits.memory;
  assert.deepEqual(
    [read(0.4), read('0.4'), read('0'), read('2gb'), read(4_096)],
    [0.4, 0.4, 0, 2 * GIB, 4_096],
  );
  for (const wrong of [1.5, -1, '', 'much', '60%']) {
    assert.throws(() => read(wrong), ConfigError, String(wrong));
  }
});
