import assert from 'node:assert/strict';
import { type Envelope, MessageQueueSystem } from '../../src/index.ts';
import { doctor } from '../../src/drivers/lmdb/doctor.ts';
import type { Said } from './child.ts';

/** What senders were told, over the lives of several of them. */
export class Ledger {
  /** Ids of sends that were confirmed. */
  readonly confirmed: Set<string> = new Set<string>();
  /** Ids of messages that were being acknowledged, with or without an answer. */
  readonly #settling = new Set<string>();
  readonly settled: Set<string> = new Set<string>();
  /** Greater than that of any message that was ever confirmed. */
  next = 0;

  record(all: readonly Said[]): void {
    for (const { event, id, number } of all) {
      if (event === 'sent') {
        this.confirmed.add(id!);
        this.next = Math.max(this.next, number! + 1);
      } else if (event === 'settling') this.#settling.add(id!);
      else if (event === 'settled') this.settled.add(id!);
    }
  }

  /**
   * Opens the store and compares: what was confirmed is there once unless it was acknowledged, what
   * was acknowledged is not, counts are those of a full look, and the doctor finds nothing.
   * @returns how many unconfirmed ones are there, which may or may not be
   */
  async check(path: string): Promise<number> {
    assert.deepEqual((await doctor(path)).problems, []);
    await using mq = await MessageQueueSystem.open({ storage: path });
    const stored = await browseAll(mq);
    const ids = stored.map(({ id }) => id);
    const there = new Set(ids);
    assert.equal(there.size, ids.length, 'stored twice under one id');
    const numbers = stored.map(({ message }) => (message.payload as { number: number }).number);
    assert.equal(new Set(numbers).size, numbers.length, 'stored twice');

    const mustBe = [...this.confirmed].filter((id) => !this.#settling.has(id));
    assert.deepEqual(
      mustBe.filter((id) => !there.has(id)),
      [],
      'confirmed, and lost',
    );
    assert.deepEqual(
      [...this.settled].filter((id) => there.has(id)),
      [],
      'acknowledged, and back',
    );
    const { messageCount } = await mq.getQueueInfo('work');
    assert.equal(messageCount, stored.length);
    this.next = Math.max(this.next, ...numbers.map((number) => number + 1));
    return ids.filter((id) => !this.confirmed.has(id)).length;
  }
}

async function browseAll(mq: MessageQueueSystem): Promise<Envelope[]> {
  const all: Envelope[] = [];
  const info = await mq.getQueueInfo('work');
  for (const state of ['ready', 'scheduled', 'leased'] as const) {
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await mq.browse('work', { state, limit: 1_000, ...(cursor && { cursor }) });
      all.push(...page.messages);
      count += page.messages.length;
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
    assert.equal(info[state], count, `counted as ${state}`);
  }
  return all;
}
