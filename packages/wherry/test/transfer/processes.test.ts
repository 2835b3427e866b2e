/**
 * Real processes: `wherry migrate` is killed with SIGKILL at random moments and started again, while
 * consumers are at work on both stores and producers change over from one to the other.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { MessageQueueSystem } from '../../src/index.ts';
import { Program } from '../cli/harness.ts';
import { poll } from '../servers/server-process.ts';
import { Servers, type StoreKind } from './servers.ts';

const servers = new Servers();
before(() => servers.start());
after(() => servers.stop());

const QUEUE = 'orders';
const MESSAGES = 6_000;
/** Sent while the migration runs: first to the source, then to the target. */
const LATE = 500;
const RUN_MS = { min: 300, max: 1_200 };
const RUNS_MAX = 40;

const PAIRS: readonly (readonly [Exclude<StoreKind, 'memory'>, Exclude<StoreKind, 'memory'>])[] = [
  ['redis', 'postgres'],
  ['postgres', 'redis'],
];

for (const [source, target] of PAIRS) {
  test(`from ${source} to ${target}: every message is handled once`, async (t) => {
    const [from, to] = [await servers.url(source), await servers.url(target)];
    const here = await MessageQueueSystem.open({ storage: from, queues: [{ name: QUEUE }] });
    const there = await MessageQueueSystem.open({ storage: to, queues: [{ name: QUEUE }] });
    const handled = new Map<number, number>();
    const consume = (mq: MessageQueueSystem, id: string) =>
      mq.createConsumer<number>({
        id,
        queueName: QUEUE,
        batchSize: 16,
        concurrency: 16,
        handler: async ({ payload }) => {
          await new Promise((resolve) => setTimeout(resolve, 10));
          handled.set(payload, (handled.get(payload) ?? 0) + 1);
        },
      });
    const send = (mq: MessageQueueSystem, first: number, count: number) =>
      mq.sendBatch(
        QUEUE,
        Array.from({ length: count }, (_, n) => ({ payload: first + n })),
      );
    for (let first = 0; first < MESSAGES; first += LATE) await send(here, first, LATE);
    await consume(here, 'here');
    await consume(there, 'there');

    let kills = 0;
    let runs = 0;
    let next = MESSAGES;
    for (let isMoved = false; !isMoved && runs < RUNS_MAX; runs++) {
      const program = new Program(['migrate', '--from', from, '--to', to, '--wait', '20s']);
      if (runs < 2) {
        await send(runs === 0 ? here : there, next, LATE);
        next += LATE;
      }
      const timer = setTimeout(
        () => {
          if (program.child.kill('SIGKILL')) kills++;
        },
        runs < 3 ? randomInt(RUN_MS.min, RUN_MS.max) : 30_000,
      );
      const { code, stderr } = await program.answer();
      clearTimeout(timer);
      assert.ok(code === null || code === 0 || code === 5, `${code}: ${stderr}`);
      isMoved = code === 0;
    }
    await poll(async () => handled.size === next, `all ${next} messages are handled`);
    // Nothing that might come again is left.
    for (const mq of [here, there]) {
      await poll(
        async () => (await mq.getQueueInfo(QUEUE)).messageCount === 0,
        'the queue is empty',
      );
      await mq.close();
    }
    const doubled = [...handled].filter(([, times]) => times !== 1);
    t.diagnostic(
      `${runs} runs, ${kills} of them killed, ${next} messages, ${doubled.length} doubled`,
    );
    assert.deepEqual(doubled, []);
  });
}
