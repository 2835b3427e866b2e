import type { Driver } from '../../src/core/driver.ts';
import type { NewDeath } from '../../src/core/message.ts';
import { migrate } from '../../src/migrate.ts';
import type { Life } from './mortal.ts';
import type { PatientClock, TestStore } from './world.ts';

export interface World {
  readonly clock: PatientClock;
  readonly source: TestStore;
  readonly target: TestStore;
  /** The queue that is moved. */
  readonly name: string;
  /** Bodies of all that were sent. */
  readonly sent: string[];
}

export const PARKED: NewDeath = { queue: 'orders', reason: 'rejected', error: 'no' };

/** Everything that makes a message special, and more than one batch of it. */
export async function makeWorld(stores: Omit<World, 'sent'>): Promise<World> {
  const { source, name } = stores;
  const queue = await source.queue(name, { deadLetterQueue: 'dead-letter' });
  const messages = [
    ...Array.from({ length: 4 }, (_, n) => ({ body: `plain ${n}`, priority: n % 2 })),
    { body: 'big 0', bytes: 20_000_000 },
    { body: 'big 1', bytes: 20_000_000 },
    { body: 'delayed', delay: 60_000 },
    { body: 'parked' },
    { body: 'tried', groupId: 'a', ttl: 500_000 },
    { body: 'behind', groupId: 'a' },
    { body: 'last' },
  ];
  const ids = await source.publish(queue, messages);
  const hold = async (at: number, release: object): Promise<void> => {
    const [held] = await source.take(queue, 1, [ids[at]!]);
    const receipt = { queue, id: held!.id, token: held!.lease.token };
    await source.driver.release([{ receipt, as: 'retry', delay: 0, ...release }]);
  };
  await hold(7, { delay: Infinity, parked: PARKED });
  await hold(8, { delay: 30_000 });
  return { ...stores, sent: messages.map(({ body }) => body) };
}

export async function consumeAtTarget({ target, name }: World): Promise<string[]> {
  return target.consume(await target.queue(name));
}

/** @param supports what the target cannot do */
export async function runOn(
  world: World,
  life: Life,
  supports: Partial<Driver['supports']> = {},
): Promise<void> {
  const { source, target, clock, name } = world;
  await migrate({
    from: life.of(source.driver),
    to: life.of(target.driver, supports),
    queues: [name],
    keepSettings: true,
    clock,
  });
}
