import { type MessageQueueError, MessageQueueSystem } from '../../../src/index.ts';
import { type Job, say, told } from './parent.ts';

const SENDERS = 8;
/** Enough to see whether one gets through after all. */
const REFUSALS_MAX = 40;

/**
 * Sends without end, several at a time, and acknowledges some: `send PATH FIRST [BYTES]`. When the
 * store refuses, it says so; when it refused often, it says 'stopped' and begins again when told.
 */
export const send: Job = async (path, [first = '0', bytes = '0']) => {
  const mq = await MessageQueueSystem.open({ storage: path, queues: [{ name: 'work' }] });
  say('open');
  let number = Number(first);
  const filling = 'x'.repeat(Number(bytes));
  for (;;) {
    let refusals = 0;
    const sender = async (): Promise<void> => {
      while (refusals < REFUSALS_MAX) {
        const payload = { number: number++, filling };
        try {
          const id = await mq.sendMessage('work', { payload });
          say('sent', { id, number: payload.number });
        } catch (error) {
          refusals++;
          sayError('refused', error);
        }
      }
    };
    const isRefused = (): boolean => refusals > 0;
    await Promise.all([
      acknowledgeSome(mq, isRefused),
      ...Array.from({ length: SENDERS }, () => sender()),
    ]);
    say('stopped');
    await told();
    await acknowledge(mq, 10);
    say('acknowledged');
    await told();
  }
};

async function acknowledgeSome(mq: MessageQueueSystem, isOver: () => boolean): Promise<void> {
  while (!isOver()) await acknowledge(mq, 3).catch((error) => sayError('unsettled', error));
  // Once more: what is refused must stay refused here too.
  await acknowledge(mq, 1).catch((error: unknown) => sayError('unsettled', error));
}

/** Leases a few, and acknowledges all but one of them, which stays leased. */
async function acknowledge(mq: MessageQueueSystem, count: number): Promise<void> {
  const [, ...deliveries] = await mq.receiveMessage('work', 'me', { max: count + 1, waitMs: 20 });
  for (const delivery of deliveries) {
    say('settling', { id: delivery.id });
    await delivery.acknowledge();
    say('settled', { id: delivery.id });
  }
}

function sayError(event: string, error: unknown): void {
  const { code, retriable, message } = error as MessageQueueError & { retriable?: boolean };
  say(event, { code, retriable, message });
}
