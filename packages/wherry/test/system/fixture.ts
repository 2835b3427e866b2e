import { test } from 'node:test';
import { type MessageQueueConfig, MessageQueueSystem } from '../../src/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';
import { CallWatch } from './call-watch.ts';
import { STORES, type StoreName, makePlace } from './places.ts';

/** What a test of the whole system works with. */
export interface Fixture {
  readonly clock: ManualClock;
  /** Opens a system on the test's store; it is closed at the test's end. */
  readonly open: (config?: MessageQueueConfig) => Promise<MessageQueueSystem>;
  /** Moves the clock and lets what that set off come to rest. */
  readonly advance: (ms: number) => Promise<void>;
}

/** Real time within which something that happens at once must have happened. */
const PATIENCE_MS = 5_000;

/** Declares one test for each store. */
export function eachStore(
  title: string,
  body: (fixture: Fixture) => Promise<void>,
  stores: readonly StoreName[] = STORES,
): void {
  for (const store of stores) {
    test(`${title} [${store}]`, async () => {
      const clock = new ManualClock();
      const place = await makePlace(store);
      const calls = new CallWatch();
      const opened: MessageQueueSystem[] = [];
      const open = async (config: MessageQueueConfig = {}): Promise<MessageQueueSystem> => {
        const time = { clock: config.clock ?? clock };
        const storage = calls.watch(place.connect(time.clock));
        const mq = await MessageQueueSystem.open({ storage, ...config, ...time });
        opened.push(mq);
        return mq;
      };
      const advance = (ms: number): Promise<void> => clock.advanceAsync(ms, () => calls.rest());
      try {
        await body({ clock, open, advance });
      } finally {
        for (const mq of opened) await mq.close({ deadline: 0 });
        await place.remove();
      }
    });
  }
}

/** Waits, in real time, for something that needs no clock to move. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It did not happen: ${String(condition)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
