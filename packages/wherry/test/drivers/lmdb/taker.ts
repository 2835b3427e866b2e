import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type {
  ArrivalTaker,
  LeasedMessage,
  NewMessage,
  QueueRef,
  TakeRequest,
  TakeResult,
} from '../../../src/core/driver.ts';
import { doctor } from '../../../src/drivers/lmdb/doctor.ts';
import { Fixture, receiptOf } from './fixture.ts';

/** JSON has no bigint: storing it fails in the middle of a commit. */
export const UNSTORABLE = { properties: { headers: { n: 1n } } } as unknown as Partial<NewMessage>;

/** Somebody with room for so many messages, and what came. */
export class Taker implements ArrivalTaker {
  readonly came: LeasedMessage[] = [];
  room = 10;
  /** Requests that were not answered. */
  open = 0;
  settles = false;
  readonly #fixture: Fixture;
  readonly #queue: QueueRef;
  readonly stop: () => void;

  constructor(fixture: Fixture, queue: QueueRef) {
    this.#fixture = fixture;
    this.#queue = queue;
    this.stop = fixture.driver.takeArrivals!(queue, this);
  }

  request(): TakeRequest | null {
    if (this.room === 0 || this.open > 0) return null;
    this.open += 1;
    const terms = { consumerId: 'taker', leaseDuration: 1_000, bound: true, perGroup: 1 };
    return { queue: this.#queue, max: this.room, early: true, ...terms };
  }

  taken({ messages }: TakeResult): void {
    this.open -= 1;
    this.room -= messages.length;
    this.came.push(...messages);
    if (this.settles) for (const one of messages) this.settle(one);
  }

  settle(message: LeasedMessage): boolean {
    return this.#fixture.driver.settleAtOnce!(receiptOf(this.#queue, message));
  }
}

export interface Begun {
  readonly fixture: Fixture;
  readonly queue: QueueRef;
  readonly taker: Taker;
}

/** A store with a queue at which somebody waits. */
export async function begun(t: TestContext, limits: Partial<QueueRef> = {}): Promise<Begun> {
  const fixture = await Fixture.create(t);
  const queue = await fixture.createQueue('queue', limits);
  // The first token takes a commit.
  await fixture.publish(queue, { body: 'first' });
  const [first] = await fixture.take(queue);
  await fixture.driver.settle([receiptOf(queue, first!)]);
  return { fixture, queue, taker: new Taker(fixture, queue) };
}

/** The store has nothing that should not be there. */
export async function expectSound(fixture: Fixture): Promise<void> {
  await fixture.driver.close();
  assert.deepEqual((await doctor(fixture.path)).problems, []);
  let marks = 0;
  await fixture.behindItsBack((tables) => {
    marks = [...tables.marks.getKeys()].length;
  });
  assert.equal(marks, 0);
  await fixture.driver.open();
}
