import assert from 'node:assert/strict';
import type {
  Driver,
  LeasedMessage,
  NewMessage,
  PublishOutcome,
  QueueRef,
} from '../../../src/core/driver.ts';
import { unboundedQueue } from '../../../src/testing/suite/fixture.ts';
import { createRedisDriver, type RedisDriverOptions } from '../../../src/drivers/redis/index.ts';

let prefixes = 0;

/** @returns a prefix that no other test of this process has */
export function newPrefix(): string {
  prefixes += 1;
  return `test${prefixes}`;
}

/** Opens a driver, with a prefix of its own unless told one. Close it. */
export async function openDriver(options: RedisDriverOptions): Promise<Driver> {
  const driver = createRedisDriver({ prefix: newPrefix(), ...options });
  await driver.open();
  return driver;
}

/** Creates a queue without bounds, but for what `limits` says. */
export async function createQueue(
  driver: Driver,
  name: string,
  limits: Partial<QueueRef> = {},
): Promise<QueueRef> {
  const entry = await driver.topology.put({ kind: 'queue', name, value: {} }, 0);
  assert.ok(entry);
  return unboundedQueue(name, entry.number, limits);
}

export function newMessage(body: string, fields: Partial<NewMessage> = {}): NewMessage {
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
    ...fields,
  };
}

export async function send(
  driver: Driver,
  targets: readonly QueueRef[],
  body: string,
  fields: Partial<NewMessage> = {},
): Promise<PublishOutcome> {
  const [outcome] = await driver.publish([{ targets, message: newMessage(body, fields) }]);
  return outcome!;
}

export async function take(
  driver: Driver,
  queue: QueueRef,
  max = 100,
): Promise<readonly LeasedMessage[]> {
  const { messages } = await driver.take({
    queue,
    consumerId: 'consumer',
    max,
    leaseDuration: 30_000,
    bound: false,
    perGroup: 1,
  });
  return messages;
}

export function receipts(
  queue: QueueRef,
  messages: readonly LeasedMessage[],
): { queue: QueueRef; id: string; token: number }[] {
  return messages.map(({ id, lease }) => ({ queue, id, token: lease.token }));
}

/** Sends texts, one after the other. @returns them */
export async function sendNumbers(
  driver: Driver,
  queue: QueueRef,
  first: number,
  count: number,
): Promise<readonly string[]> {
  const bodies = Array.from({ length: count }, (_, i) => `m${first + i}`);
  for (const body of bodies) {
    const { status } = await send(driver, [queue], body);
    assert.equal(status, 'stored');
  }
  return bodies;
}

/** What may be taken from a queue, in its order. At most a thousand. */
export async function bodiesIn(driver: Driver, queue: QueueRef): Promise<readonly string[]> {
  const { messages } = await driver.browse({ queue, state: 'ready', limit: 1_000 });
  return messages.map(({ body }) => String(body));
}
