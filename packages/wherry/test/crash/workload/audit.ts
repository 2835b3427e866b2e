import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope, MessageQueueSystem, QueueInfo } from '../../../src/index.ts';
import type { Audited, AuditedMessage, AuditedQueue } from '../history.ts';
import { deathsOf, keyOf } from './messages.ts';

const STATES = ['ready', 'scheduled', 'leased'] as const;
/** Delays and leases end while one looks; then one looks again. */
const TRIES = 30;

/** Everything that is stored, with the counts that the queues give of themselves. */
export async function audit(mq: MessageQueueSystem): Promise<Audited> {
  for (let left = TRIES; ; left--) {
    const before = await mq.listQueueInfo();
    const queues: Record<string, AuditedQueue> = {};
    for (const info of before) queues[info.name] = await auditQueue(mq, info);
    const stable = describe(before) === describe(await mq.listQueueInfo());
    if (stable || left === 0) return { op: 'audit', phase: 'ok', stable, queues };
    await sleep(5);
  }
}

async function auditQueue(mq: MessageQueueSystem, info: QueueInfo): Promise<AuditedQueue> {
  const messages: AuditedMessage[] = [];
  for (const state of STATES) {
    let cursor: string | null = null;
    do {
      const page: { messages: Envelope[]; cursor: string | null } = await mq.browse(info.name, {
        state,
        limit: 500,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const envelope of page.messages) messages.push(auditedMessage(envelope));
      cursor = page.cursor;
    } while (cursor !== null);
  }
  const { ready, scheduled, leased, bytes } = info;
  return { ready, scheduled, leased, bytes, messages };
}

function auditedMessage(envelope: Envelope): AuditedMessage {
  const { id, state, parked } = envelope;
  return { id, key: keyOf(envelope), state, parked: parked !== null, deaths: deathsOf(envelope) };
}

/** What changes when anything in a queue does. */
function describe(infos: readonly QueueInfo[]): string {
  return JSON.stringify(
    infos.map(({ name, ready, scheduled, leased, bytes, counters }) => {
      return { name, ready, scheduled, leased, bytes, counters };
    }),
  );
}
