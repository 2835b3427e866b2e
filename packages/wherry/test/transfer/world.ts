import type { Clock, Timer } from '../../src/core/clock.ts';
import type {
  Driver,
  LeasedMessage,
  NewMessage,
  QueueRef,
  StoredMessage,
} from '../../src/core/driver.ts';
import type { MessageState } from '../../src/core/message.ts';
import { queueRef, Queue, type QueueDocument } from '../../src/core/queue.ts';
import { mergeQueueSettings, type QueueSettingsInput } from '../../src/core/queue-settings.ts';
import { createMemoryDriver } from '../../src/drivers/memory/index.ts';
import { ManualClock } from '../../src/testing/manual-clock.ts';

/** A clock that stands still, but lets nobody wait for a short while. */
export class PatientClock implements Clock {
  readonly manual: ManualClock = new ManualClock();

  now(): number {
    return this.manual.now();
  }

  setTimer(callback: () => void, ms: number): Timer {
    return this.manual.setTimer(callback, ms <= 1_000 ? 0 : ms);
  }
}

const STATES: readonly MessageState[] = ['ready', 'scheduled', 'leased'];

/** A store as a test fills it and looks at it, without anything of core in between. */
export class TestStore {
  readonly driver: Driver;

  constructor(driver: Driver) {
    this.driver = driver;
  }

  static async inMemory(clock: Clock): Promise<TestStore> {
    const store = new TestStore(createMemoryDriver({ clock }));
    await store.driver.open();
    return store;
  }

  /** Makes a queue, or finds it. */
  async queue(name: string, settings: QueueSettingsInput = {}): Promise<QueueRef> {
    const found = await this.#find(name);
    if (found !== undefined) return found;
    const value: QueueDocument = { settings: mergeQueueSettings(settings), createdAt: 1 };
    await this.driver.topology.put({ kind: 'queue', name, value }, 0);
    return (await this.#find(name))!;
  }

  async #find(name: string): Promise<QueueRef | undefined> {
    const entries = await this.driver.topology.load();
    const entry = entries.find((one) => one.kind === 'queue' && one.name === name);
    if (entry === undefined) return undefined;
    const { number, version, value } = entry;
    return queueRef(new Queue(name, number, version, value as QueueDocument), null);
  }

  async publish(queue: QueueRef, messages: readonly Partial<NewMessage>[]): Promise<string[]> {
    const items = messages.map((message) => ({ targets: [queue], message: newMessage(message) }));
    const outcomes = await this.driver.publish(items);
    return outcomes.map((outcome) => {
      if (outcome.status !== 'stored') throw new Error(`not stored: ${outcome.status}`);
      return outcome.id;
    });
  }

  /** Takes what there is, as a consumer does. */
  async take(
    queue: QueueRef,
    max: number = 1_000,
    ids?: readonly string[],
  ): Promise<readonly LeasedMessage[]> {
    const { messages } = await this.driver.take({
      queue,
      consumerId: 'worker',
      max,
      leaseDuration: 30_000,
      bound: false,
      perGroup: 1,
      ...(ids === undefined ? {} : { ids }),
    });
    return messages;
  }

  /** Takes and settles one by one until nothing is ready. @returns the bodies in that order */
  async consume(queue: QueueRef, max: number = Infinity): Promise<string[]> {
    const bodies: string[] = [];
    while (bodies.length < max) {
      const [message] = await this.take(queue, 1);
      if (message === undefined) return bodies;
      bodies.push(message.body as string);
      await this.driver.settle([{ queue, id: message.id, token: message.lease.token }]);
    }
    return bodies;
  }

  /** Everything that is stored in the queue. */
  async all(queue: QueueRef): Promise<StoredMessage[]> {
    const found: StoredMessage[] = [];
    for (const state of STATES) {
      let cursor: string | undefined;
      do {
        const page = await this.driver.browse({ queue, state, limit: 100, cursor });
        found.push(...page.messages);
        cursor = page.cursor ?? undefined;
      } while (cursor !== undefined);
    }
    return found;
  }
}

function newMessage(message: Partial<NewMessage>): NewMessage {
  const body = message.body ?? 'body';
  return {
    encoding: 'text',
    body,
    bytes: body.length,
    properties: null,
    priority: 0,
    delay: 0,
    deliverAt: null,
    ttl: null,
    groupId: null,
    deduplicationId: null,
    ...message,
  };
}
