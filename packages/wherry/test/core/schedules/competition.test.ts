import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Clock, MessageQueueSystem, type NamedScheduleConfig } from '../../../src/index.ts';
import { ManualClock } from '../../../src/testing/index.ts';
import { Random } from '../../crash/random.ts';
import { type Connection, SharedStore } from '../../shared-store.ts';

const QUEUES = ['a', 'b', 'c'] as const;
const EVERY_MS = 10_000;
const STALL_MAX_MS = 40_000;
const message = { payload: 'tick' };

/** Processes on one store, and what they have stored in all. */
class Processes {
  readonly clock: ManualClock = new ManualClock();
  readonly store: SharedStore;
  readonly #random: Random;
  readonly #running: { readonly mq: MessageQueueSystem; readonly connection: Connection }[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.store = new SharedStore({
      clock: this.clock,
      latency: () => random.integer(0, 3),
      newsLatency: () => {
        if (random.chance(0.05)) return Infinity;
        return random.chance(0.7) ? 0 : random.integer(0, 3_000);
      },
    });
  }

  /** The clock of one process: only its spans are right. */
  #skewed(): Clock {
    const ms = this.#random.integer(-86_400_000, 86_400_000);
    return {
      now: () => this.clock.now() + ms,
      setTimer: (callback, wait) => this.clock.setTimer(callback, wait),
    };
  }

  get living(): readonly MessageQueueSystem[] {
    return this.#running.flatMap(({ mq, connection }) => (connection.isDead() ? [] : [mq]));
  }

  async start(schedules: readonly NamedScheduleConfig[]): Promise<MessageQueueSystem> {
    const connection = this.store.connect();
    const { driver: storage } = connection;
    const queues = QUEUES.map((name) => ({ name }));
    const clock = this.#skewed();
    const mq = await MessageQueueSystem.open({ storage, clock, queues, schedules });
    mq.events.on('consumerError', () => {});
    mq.events.on('scheduleError', () => {});
    this.#running.push({ mq, connection });
    return mq;
  }

  /** The connection of one of those that live. */
  connection(index: number): Connection | undefined {
    const living = this.#running.filter(({ connection }) => !connection.isDead());
    return living[index % living.length]?.connection;
  }

  async calm(): Promise<void> {
    for (const { connection } of this.#running) connection.stallAt(null);
    await this.advance(STALL_MAX_MS);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms, () => this.store.rest());
  }

  /** What each queue holds, in its order: ticks in milliseconds since 1970. */
  async ticks(): Promise<number[][]> {
    const looker = await this.start([]);
    const found: number[][] = [];
    for (const queue of QUEUES) {
      const { messages } = await looker.browse(queue, { limit: 1_000 });
      found.push(
        messages.map(({ message: { headers } }) => Date.parse(String(headers!['scheduled-at']))),
      );
    }
    return found;
  }

  /** Those that died stay as they are: nobody hears of them. */
  async close(): Promise<void> {
    const open = new Set(this.living);
    for (const mq of open) void mq.close({ deadline: 0 }).then(() => open.delete(mq));
    while (open.size > 0) await this.advance(1_000);
  }
}

function scheduleFor(queue: string): NamedScheduleConfig {
  return { name: 's', every: EVERY_MS, queue, message, catchUp: 'all' };
}

async function withProcesses(seed: number, body: (all: Processes) => Promise<void>): Promise<void> {
  const processes = new Processes(new Random(seed));
  await processes.store.memory.open();
  try {
    await body(processes);
  } finally {
    await processes.close();
    await processes.store.memory.close();
  }
}

/** Every tick from the first to the last moment, each once. */
function everyTick(from: number, until: number): number[] {
  const ticks: number[] = [];
  for (let tick = from + EVERY_MS; tick <= until; tick += EVERY_MS) ticks.push(tick);
  return ticks;
}

async function checkEachOnce(processes: Processes, createdAt: number): Promise<void> {
  const inQueues = await processes.ticks();
  for (const ticks of inQueues)
    assert.deepEqual(
      ticks,
      ticks.toSorted((a, b) => a - b),
    );
  const all = inQueues.flat().toSorted((a, b) => a - b);
  assert.deepEqual(all, everyTick(createdAt, processes.clock.now()));
}

test('one message for each tick, whoever sends it', async () => {
  await withProcesses(1, async (processes) => {
    for (let i = 0; i < 5; i++) await processes.start([scheduleFor('a')]);
    const createdAt = processes.living[0]!.getSchedule('s').createdAt.getTime();
    await processes.advance(10 * EVERY_MS + 3_000);
    await checkEachOnce(processes, createdAt);
    assert.equal(processes.living[0]!.getSchedule('s').sent, 10);
  });
});

test('a process that dies at any of its calls leaves no tick out and none twice', async () => {
  for (let call = 1; call <= 12; call++) {
    for (const takesEffect of [true, false]) {
      await withProcesses(call, async (processes) => {
        await processes.start([scheduleFor('a')]);
        const createdAt = processes.living[0]!.getSchedule('s').createdAt.getTime();
        await processes.start([]);
        processes.connection(0)!.dieAt(call, takesEffect);
        await processes.advance(4 * EVERY_MS + 3_000);
        await checkEachOnce(processes, createdAt);
      });
    }
  }
});

test('when all have died, the next one goes on', async () => {
  for (let call = 1; call <= 6; call++) {
    await withProcesses(call, async (processes) => {
      const mq = await processes.start([scheduleFor('a')]);
      const createdAt = mq.getSchedule('s').createdAt.getTime();
      processes.connection(0)!.dieAt(call, true);
      await processes.advance(200 * EVERY_MS);
      await processes.start([scheduleFor('a')]);
      await processes.advance(3_000);
      await checkEachOnce(processes, createdAt);
    });
  }
});

test('limit: so many messages and no more, whoever dies', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await withProcesses(seed, async (processes) => {
      for (let i = 0; i < 3; i++) await processes.start([{ ...scheduleFor('a'), limit: 5 }]);
      const createdAt = processes.living[0]!.getSchedule('s').createdAt.getTime();
      for (let i = 0; i < 2; i++) {
        processes.connection(seed + i)!.dieAt(seed, seed % 2 === 0);
        await processes.advance(2 * EVERY_MS);
      }
      await processes.advance(6 * EVERY_MS);
      const [ticks] = await processes.ticks();
      assert.deepEqual(ticks, everyTick(createdAt, createdAt + 5 * EVERY_MS));
    });
  }
});

const process = fc.nat(9);

/** What may happen, one after the other; upserts and deaths go on while the next begins. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(25_000) }) },
  // To the moment of a tick, or just after: when it is decided on.
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tick' as const), after: fc.nat(300) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('upsert' as const),
      process,
      queue: fc.constantFrom(...QUEUES),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('stall' as const),
      process,
      call: fc.integer({ min: 1, max: 8 }),
      ms: fc.nat(STALL_MAX_MS),
      when: fc.constantFrom('there' as const, 'back' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      process,
      call: fc.integer({ min: 1, max: 12 }),
      takesEffect: fc.boolean(),
    }),
  },
);

test('whatever happens: each tick once', async () => {
  const history = fc.tuple(fc.nat(), fc.array(step, { minLength: 5, maxLength: 25 }));
  await fc.assert(
    fc.asyncProperty(history, async ([seed, steps]) => {
      await withProcesses(seed, async (processes) => {
        const first = await processes.start([scheduleFor('a')]);
        const createdAt = first.getSchedule('s').createdAt.getTime();
        const toTick = (): number => EVERY_MS - ((processes.clock.now() - createdAt) % EVERY_MS);
        for (const one of steps) {
          const { living } = processes;
          if (one.do === 'advance') await processes.advance(one.ms);
          else if (one.do === 'tick') await processes.advance(toTick() + one.after);
          else if (one.do === 'start') await processes.start([]);
          else if (one.do === 'kill') {
            processes.connection(one.process)?.dieAt(one.call, one.takesEffect);
          } else if (one.do === 'stall') processes.connection(one.process)?.stallAt(one);
          else if (living.length > 0) {
            const { name, ...config } = scheduleFor(one.queue);
            // It goes on while other things happen; its process may die of it.
            void living[one.process % living.length]!.upsertSchedule(name, config);
          }
        }
        // What is held up comes to its end.
        await processes.calm();
        const changedAt = processes.clock.now();
        await processes.start([scheduleFor('c')]);
        // So long that whoever lives has helped, and before the next tick.
        await processes.advance(toTick() + EVERY_MS + 9_000);
        const [a, b] = await processes.ticks();
        assert.ok([...a!, ...b!].every((tick) => tick <= changedAt));
        await checkEachOnce(processes, createdAt);
      });
    }),
    { numRuns: 150 },
  );
});
