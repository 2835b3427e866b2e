import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type {
  Driver,
  LeasedMessage,
  NewMessage,
  QueueRef,
  Receipt,
  TakeRequest,
} from '../../../src/core/driver.ts';
import { createLmdbDriver } from '../../../src/drivers/lmdb/index.ts';
import { openRoot, openTables, type Root, type Tables } from '../../../src/drivers/lmdb/tables.ts';
import { ManualClock } from '../../../src/testing/manual-clock.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';

/** A store of its own for a test, and what a test does with it. */
export class Fixture {
  readonly path: string;
  readonly clock: ManualClock = new ManualClock();
  driver: Driver;

  private constructor(path: string) {
    this.path = path;
    this.driver = createLmdbDriver({ path, clock: this.clock });
  }

  static async create(test: TestContext): Promise<Fixture> {
    const fixture = new Fixture(await mkdtemp(join(tmpdir(), 'wherry-lmdb-')));
    await fixture.driver.open();
    test.after(async () => {
      await fixture.driver.close();
      await rm(fixture.path, { recursive: true });
    });
    return fixture;
  }

  async reopen(): Promise<void> {
    await this.driver.close();
    this.driver = createLmdbDriver({ path: this.path, clock: this.clock });
    await this.driver.open();
  }

  /** Closes the driver, and opens it again when `act` has changed the store behind its back. */
  async behindItsBack(act: (tables: Tables, root: Root) => void): Promise<void> {
    await this.driver.close();
    const root = openRoot(this.path);
    const tables = openTables(root);
    await root.childTransaction(() => act(tables, root));
    await root.close();
    this.driver = createLmdbDriver({ path: this.path, clock: this.clock });
  }

  async createQueue(name: string, limits: Partial<QueueRef> = {}): Promise<QueueRef> {
    const entry = await this.driver.topology.put({ kind: 'queue', name, value: {} }, 0);
    return unboundedQueue(name, entry!.number, limits);
  }

  /** @returns the ids, in order */
  async publish(queue: QueueRef, ...messages: readonly Partial<NewMessage>[]): Promise<string[]> {
    const items = messages.map((message) => ({ targets: [queue], message: newMessage(message) }));
    const outcomes = await this.driver.publish(items);
    return outcomes.map((outcome) => ('id' in outcome ? outcome.id : outcome.status));
  }

  async take(
    queue: QueueRef,
    request: Partial<TakeRequest> = {},
  ): Promise<readonly LeasedMessage[]> {
    const { messages } = await this.driver.take({
      queue,
      consumerId: 'consumer',
      max: 10,
      leaseDuration: 1_000,
      bound: true,
      perGroup: 1,
      ...request,
    });
    return messages;
  }
}

export function newMessage(message: Partial<NewMessage> = {}): NewMessage {
  const body = message.body ?? 'text';
  return {
    encoding: typeof body === 'string' ? 'text' : 'bytes',
    body,
    bytes: Buffer.byteLength(body),
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

export function receiptOf(queue: QueueRef, message: LeasedMessage): Receipt {
  return { queue, id: message.id, token: message.lease.token };
}

export function bodies(messages: readonly { readonly body: string | Uint8Array }[]): string[] {
  return messages.map(({ body }) =>
    typeof body === 'string' ? body : Buffer.from(body).toString(),
  );
}
