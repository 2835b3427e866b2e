import { writeFileSync } from 'node:fs';
import { type Envelope, MessageQueueSystem } from '../../../src/index.ts';
import { type Job, say, told } from './parent.ts';

const JUMPS = [3_600, -3_600];
/** Long in comparison with what the worker takes, short in comparison with a jump. */
const SPAN = '10m';

/**
 * Meets a wall clock that jumps while it works: `jump PATH OFFSET_FILE`. The file is libfaketime's.
 * Without the second argument it only looks: at a store that a process with another clock left.
 */
export const jump: Job = async (path, [offsetFile]) => {
  const mq = await MessageQueueSystem.open({ storage: path, queues: [{ name: 'work' }] });
  if (offsetFile !== undefined) await jumpAbout(mq, offsetFile);
  const id = await mq.sendMessage('work', { payload: 'after' });
  say('stored', { id, wall: Date.now(), messages: await stored(mq) });
  await told();
  await mq.close();
  say('closed');
};

async function jumpAbout(mq: MessageQueueSystem, offsetFile: string): Promise<void> {
  await mq.sendMessage('work', { payload: 'held' });
  const held = await mq.receiveMessage('work', 'me', { leaseDuration: SPAN });
  await mq.sendMessage('work', { payload: 'mortal', ttl: SPAN });
  await mq.sendMessage('work', { payload: 'later', delay: SPAN });
  for (const offset of JUMPS) {
    const before = Date.now();
    await mq.sendMessage('work', { payload: 'soon', delay: 100 });
    writeFileSync(offsetFile, `${offset > 0 ? '+' : ''}${offset}\n`);
    const jumped = Date.now() - before;
    const patience = { waitMs: '5s', leaseDuration: SPAN } as const;
    // The mortal one is ready; the other becomes so.
    const mortal = await mq.receiveMessage('work', 'me', patience);
    const soon = await mq.receiveMessage('work', 'me', patience);
    const received = [mortal?.payload, soon?.payload];
    say('jumped', { jumped, received, messages: await stored(mq) });
    await soon!.acknowledge();
    await mq.rejectMessage(mortal!.id, 'me', 'another time', { requeue: true });
  }
  await held!.acknowledge();
  say('acknowledged');
}

async function stored(mq: MessageQueueSystem): Promise<object[]> {
  const pages = await Promise.all(
    (['ready', 'scheduled', 'leased'] as const).map((state) => mq.browse('work', { state })),
  );
  return pages.flatMap(({ messages }) => messages.map(describe));
}

function describe({ id, message, state, timestamp, availableAt }: Envelope): object {
  return { id, payload: message.payload, state, timestamp, availableAt };
}
