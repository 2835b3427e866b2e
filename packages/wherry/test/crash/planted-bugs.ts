/**
 * Bugs that a store could have, each planted in a working one, to see that the checker finds it.
 * Nothing but the tests of the checker uses them.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver, LeasedMessage, NewMessage, PublishItem } from '../../src/index.ts';
import type { RuleName } from './checker/findings.ts';

export interface PlantedBug {
  /** The rule that must find it. Others may, too. */
  readonly rule: RuleName;
  /** It shows only when the process is killed. */
  readonly needsKill?: true;
  /** @returns what the driver then does otherwise */
  readonly plant: (driver: Driver) => Partial<Driver>;
}

export const PLANTED_BUGS: Readonly<Record<string, PlantedBug>> = {
  'a confirm before the commit': {
    rule: 'lost',
    needsKill: true,
    plant: (driver) => ({
      publish: async (items, options) => {
        const isSimple = items.every(isPlainSend);
        if (!isSimple || options?.atomic === true) return driver.publish(items, options);
        const known = items.map((item) => changed(item, { id: newId() }));
        later(150, () => driver.publish(known));
        return known.map(({ message }) => ({ status: 'stored', id: message.id! }));
      },
    }),
  },
  'a message handed out twice': {
    rule: 'lease-overlap',
    plant: (driver) => {
      const last = new Map<string, LeasedMessage>();
      return {
        take: async (request) => {
          const { messages, retryIn } = await driver.take(request);
          const extra = last.get(request.queue.name);
          last.clear();
          if (messages.length > 0) last.set(request.queue.name, messages.at(-1)!);
          return { messages: extra === undefined ? messages : [...messages, extra], retryIn };
        },
      };
    },
  },
  'a lease that ends with the process': {
    rule: 'lease-overlap',
    needsKill: true,
    plant: (driver) => ({
      take: (request) => {
        // Long enough for the next process to come in time.
        const leaseDuration = Math.max(request.leaseDuration, 15_000);
        return driver.take({ ...request, leaseDuration, bound: true });
      },
    }),
  },
  'a lost mark: a delivery that a crash cut off does not count': {
    rule: 'delivery-count',
    needsKill: true,
    plant: (driver) => ({
      release: (items) =>
        driver.release(
          items.map((item) => (item.suspect === true ? { ...item, as: 'unstarted' } : item)),
        ),
    }),
  },
  'an acknowledgement that is not stored': {
    rule: 'acknowledged-again',
    plant: (driver) => ({
      settle: async (receipts) => (oneIn(15) ? [] : driver.settle(receipts)),
    }),
  },
  'an acknowledgement refused to the holder': {
    rule: 'refused-settle',
    plant: (driver) => ({
      settle: async (receipts) => {
        const lost = await driver.settle(receipts);
        return lost.length === 0 && oneIn(15) ? [0] : lost;
      },
    }),
  },
  'a late acknowledgement accepted': {
    rule: 'late-settle',
    plant: (driver) => ({
      settle: async (receipts) => {
        await driver.settle(receipts);
        return [];
      },
    }),
  },
  'a retry count reset': {
    rule: 'retries',
    plant: (driver) => changedTake(driver, (message) => ({ ...message, retryCount: 0 })),
  },
  'a deduplication record lost': {
    rule: 'doubled',
    plant: (driver) =>
      changedPublish(driver, (item) => changed(item, oneIn(2) ? { deduplicationId: null } : {})),
  },
  'priorities inverted': {
    rule: 'priority',
    plant: (driver) => ({
      ...changedPublish(driver, (item) => changed(item, { priority: 9 - item.message.priority })),
      ...changedTake(driver, (message) => ({ ...message, priority: 9 - message.priority })),
    }),
  },
  'order within a priority broken': {
    rule: 'order',
    plant: (driver) => ({
      take: async (request) => {
        const taken = await driver.take(request);
        const [first, ...rest] = taken.messages;
        if (first === undefined || rest.length === 0 || first.groupId !== null) return taken;
        const receipt = { queue: request.queue, id: first.id, token: first.lease.token };
        await driver.release([{ receipt, delay: 0, as: 'unstarted' }]);
        return { ...taken, messages: rest };
      },
    }),
  },
  'groups forgotten': {
    rule: 'group-order',
    plant: (driver) => changedPublish(driver, (item) => changed(item, { groupId: null })),
  },
  'a group handed to two holders': {
    rule: 'group-shared',
    plant: (driver) => changedPublish(driver, (item) => changed(item, { groupId: null })),
  },
  'counts that drift': {
    rule: 'counts',
    plant: (driver) => {
      let settled = 0;
      return {
        settle: (receipts) => {
          settled += receipts.length;
          return driver.settle(receipts);
        },
        counts: async (queue) => {
          const counts = await driver.counts(queue);
          return settled > 20 ? { ...counts, ready: counts.ready + 1 } : counts;
        },
      };
    },
  },
  'a body altered': {
    rule: 'altered',
    plant: (driver) =>
      changedPublish(driver, (item) => {
        const { body } = item.message;
        if (typeof body !== 'string' || !oneIn(20)) return item;
        return changed(item, { body: body.replace('"list":[1', '"list":[2') });
      }),
  },
  'a TTL ignored': {
    rule: 'late',
    plant: (driver) =>
      changedPublish(driver, ({ message, targets }) => ({
        message: { ...message, ttl: null },
        targets: targets.map((target) => ({ ...target, messageTtl: null })),
      })),
  },
  'a delay ignored': {
    rule: 'early',
    plant: (driver) => changedPublish(driver, (item) => changed(item, { delay: 0 })),
  },
  'a back-off ignored': {
    rule: 'early',
    plant: (driver) => ({
      release: (items) => driver.release(items.map((item) => ({ ...item, delay: 0 }))),
    }),
  },
  'a dead letter copied instead of moved': {
    rule: 'doubled',
    plant: (driver) => {
      const taken = new Map<string, LeasedMessage>();
      return {
        take: async (request) => {
          const result = await driver.take(request);
          for (const message of result.messages) taken.set(message.id, message);
          return result;
        },
        move: async (items) => {
          for (const { receipt, targets, death } of items) {
            const source = taken.get(receipt.id);
            if (source === undefined || death === undefined) continue;
            const deaths = [...source.deaths, { ...death, time: 0, count: 1 }];
            await driver.publish([{ targets, message: copyOf(source, deaths) }]);
            await driver.release([{ receipt, delay: 0, as: 'retry' }]);
          }
          return items.map(({ receipt }) => ({ status: 'moved', ids: [receipt.id] }));
        },
      };
    },
  },
  'a dead letter dropped': {
    rule: 'lost',
    plant: (driver) => ({
      move: async (items) => {
        await driver.settle(items.map(({ receipt }) => receipt));
        return items.map(({ receipt }) => ({ status: 'moved', ids: [receipt.id] }));
      },
    }),
  },
  'a fan-out in several commits': {
    rule: 'torn',
    needsKill: true,
    plant: (driver) => ({
      publish: async (items, options) => {
        if (items.every(({ targets }) => targets.length === 1)) {
          return driver.publish(items, options);
        }
        const firsts = items.map((item) => ({ ...item, targets: item.targets.slice(0, 1) }));
        const outcomes = await driver.publish(firsts, options);
        await sleep(100);
        const others = items.flatMap(({ targets, message }) =>
          targets.slice(1).map((target) => ({ targets: [target], message })),
        );
        const rest = [...(await driver.publish(others, options))];
        return outcomes.map((outcome, i) => {
          const more = rest.splice(0, items[i]!.targets.length - 1);
          if (!('id' in outcome)) return outcome;
          return { ...outcome, ids: [outcome, ...more].map((one) => ('id' in one ? one.id : '')) };
        });
      },
    }),
  },
  'a bound not kept': {
    rule: 'max-size',
    plant: (driver) => ({
      ...changedPublish(driver, ({ message, targets }) => ({
        message,
        targets: targets.map((target) => ({ ...target, maxSize: Infinity })),
      })),
      take: async (request) => {
        // It fills only if nobody empties it.
        const isBounded = request.queue.name === 'bounded';
        return isBounded ? { messages: [], retryIn: null } : driver.take(request);
      },
    }),
  },
  'a purge that miscounts': {
    rule: 'purge-count',
    plant: (driver) => ({ purge: async (queue) => Math.max(0, (await driver.purge(queue)) - 1) }),
  },
  'a refused send that is stored': {
    rule: 'phantom',
    plant: (driver) => ({
      publish: async (items, options) => {
        const outcomes = await driver.publish(items, options);
        return outcomes.map((outcome, i) => {
          const [target] = items[i]!.targets;
          if (outcome.status !== 'stored' || !oneIn(30)) return outcome;
          return { status: 'full', queue: target!.name, limit: 'maxSize' };
        });
      },
    }),
  },
  'a death before all retries': {
    rule: 'dead-letter',
    plant: (driver) => changedTake(driver, (message) => ({ ...message, retryCount: 99 })),
  },
  'wake-ups that are lost': {
    rule: 'stuck',
    plant: () => ({ notifier: { subscribe: () => () => undefined } }),
  },
};

/** @returns a driver that behaves as the given one, the bug apart */
export function plantBug(name: string, driver: Driver): Driver {
  const bug = PLANTED_BUGS[name];
  if (bug === undefined) throw new Error(`No bug is called '${name}'.`);
  const overrides = bug.plant(driver);
  return new Proxy(driver, {
    get: (target, property) => {
      const value: unknown =
        Reflect.get(overrides, property) ?? Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function changedPublish(
  driver: Driver,
  change: (item: PublishItem) => PublishItem,
): Pick<Driver, 'publish'> {
  return { publish: (items, options) => driver.publish(items.map(change), options) };
}

function changedTake(
  driver: Driver,
  change: (message: LeasedMessage) => LeasedMessage,
): Pick<Driver, 'take'> {
  return {
    take: async (request) => {
      const { messages, retryIn } = await driver.take(request);
      return { messages: messages.map(change), retryIn };
    },
  };
}

function changed(item: PublishItem, fields: Partial<NewMessage>): PublishItem {
  return { ...item, message: { ...item.message, ...fields } };
}

function copyOf(source: LeasedMessage, deaths: NewMessage['deaths']): NewMessage {
  const { encoding, body, bytes, properties, priority, groupId } = source;
  const plain = { delay: 0, deliverAt: null, ttl: null, deduplicationId: null };
  const content = { encoding, body, bytes, properties, priority, groupId };
  return { ...content, ...plain, ...(deaths === undefined ? {} : { deaths }) };
}

function isPlainSend({ targets, message }: PublishItem): boolean {
  return targets.length === 1 && message.deduplicationId === null;
}

function newId(): string {
  return randomUUID().replaceAll('-', '');
}

function oneIn(count: number): boolean {
  return Math.random() * count < 1;
}

/** What fails because the store is closed by then is part of the bug. */
function later(ms: number, work: () => Promise<unknown>): void {
  void sleep(ms)
    .then(work)
    .catch(() => undefined);
}
