import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type MessageQueueConfig, MessageQueueSystem } from '../../src/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';

/** What a test of the whole system works with. */
export interface Fixture {
  readonly clock: ManualClock;
  /** Opens a system on the test's store; it is closed at the test's end. */
  readonly open: (config?: MessageQueueConfig) => Promise<MessageQueueSystem>;
  /** Moves the clock and lets what that set off come to rest. */
  readonly advance: (ms: number) => Promise<void>;
}

const STORES = ['memory', 'lmdb'] as const;
/** Real time within which something that happens at once must have happened. */
const PATIENCE_MS = 5_000;

/** Declares one test for each embedded store. */
export function eachStore(
  title: string,
  body: (fixture: Fixture) => Promise<void>,
  stores: readonly (typeof STORES)[number][] = STORES,
): void {
  for (const store of stores) {
    test(`${title} [${store}]`, async () => {
      const clock = new ManualClock();
      const folder = await mkdtemp(join(tmpdir(), 'wherry-test-'));
      const opened: MessageQueueSystem[] = [];
      const open = async (config: MessageQueueConfig = {}): Promise<MessageQueueSystem> => {
        const storage = store === 'memory' ? 'memory:' : folder;
        const mq = await MessageQueueSystem.open({ storage, clock, ...config });
        opened.push(mq);
        return mq;
      };
      const advance = (ms: number): Promise<void> => clock.advanceAsync(ms, rest);
      try {
        await body({ clock, open, advance });
      } finally {
        for (const mq of opened) await mq.close({ deadline: 0 });
        await rm(folder, { recursive: true, force: true });
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

/** A commit of the embedded store takes some turns of the event loop. */
async function rest(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 2));
}
