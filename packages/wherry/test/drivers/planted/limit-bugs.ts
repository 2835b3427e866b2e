/** Bugs in limits, and in what keeps a message from being stored a second time. */
import type { Driver, NewMessage, PublishOutcome, QueueRef } from '../../../src/core/driver.ts';
import { MemoryStore } from '../../../src/drivers/memory/store.ts';
import { browseAll, type Bug, override, patch } from './plant.ts';

/** Takes that go by other limits than they are told. */
function takeBy(driver: Driver, change: (queue: QueueRef) => Partial<QueueRef>): Driver['take'] {
  return (request) =>
    driver.take({ ...request, queue: { ...request.queue, ...change(request.queue) } });
}

/** Stores other messages than it is given. */
function publishAs(
  driver: Driver,
  change: (message: NewMessage) => Partial<NewMessage>,
): Driver['publish'] {
  return (items, options) =>
    driver.publish(
      items.map((item) => ({ ...item, message: { ...item.message, ...change(item.message) } })),
      options,
    );
}

/** What each queue was told last, and is told now. */
function remembered<T>(): (queue: QueueRef, value: T) => T | undefined {
  const last = new Map<number, T>();
  return (queue, value) => {
    const before = last.get(queue.number);
    last.set(queue.number, value);
    return before;
  };
}

const LEASE_LIMIT_BUGS: Readonly<Record<string, Bug>> = {
  'one more than maxInFlight is leased': {
    breaks: 'limits: no more than maxInFlight',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: takeBy(driver, ({ maxInFlight }) => ({ maxInFlight: maxInFlight + 1 })),
      }),
  },
  'what the sweeper holds does not count towards maxInFlight': {
    breaks: 'limits: a lease counts towards maxInFlight',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: async (request) => {
          const leased = await browseAll(driver, request.queue, 'leased');
          const swept = leased.filter(({ lease }) => lease!.consumerId === '#sweeper').length;
          const maxInFlight = request.queue.maxInFlight + swept;
          return driver.take({ ...request, queue: { ...request.queue, maxInFlight } });
        },
      }),
  },
  'nobody is told that a lease has ended that others wait for': {
    breaks: 'takers are told when a lease ends that kept others',
    patch: () => {
      // oxlint-disable-next-line typescript/unbound-method -- called with its store below
      const { remove } = MemoryStore.prototype;
      return patch(
        MemoryStore.prototype,
        'remove',
        function removeSilently(this: MemoryStore, record, ref, now) {
          remove.call(this, record, { ...ref, maxInFlight: Infinity }, now);
        },
      );
    },
  },
  'fewer slots of a group are not heeded': {
    breaks: 'G11 with fewer slots',
    inHistories: true,
    plant: (driver) => {
      const most = new Map<number, number>();
      const take = takeBy(driver, ({ number, groupMaxInFlight }) => {
        most.set(number, Math.max(groupMaxInFlight, most.get(number) ?? 1));
        return { groupMaxInFlight: most.get(number)! };
      });
      return override(driver, { take });
    },
  },
  'more slots of a group wait for the next take': {
    breaks: 'G11 more slots are used when a message of the group ends',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        settle: (receipts) =>
          driver.settle(
            receipts.map((one) => ({ ...one, queue: { ...one.queue, groupMaxInFlight: 1 } })),
          ),
      }),
  },
};

const RATE_BUGS: Readonly<Record<string, Bug>> = {
  'a rate limit has a token too many': {
    breaks: 'limits: a rate limit lets its number go',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: takeBy(driver, ({ rateLimit }) => ({
          rateLimit: rateLimit && { ...rateLimit, max: rateLimit.max + 1 },
        })),
      }),
  },
  'a rate limit says to come again a millisecond late': {
    breaks: 'limits: a rate limit lets its number go',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: async (request) => {
          const { messages, retryIn } = await driver.take(request);
          return { messages, retryIn: retryIn && retryIn + 1 };
        },
      }),
  },
  'a rate limit that changes begins full': {
    breaks: 'limits: a rate may change',
    inHistories: true,
    plant: (driver) => {
      const before = remembered<string>();
      const take = takeBy(driver, (queue) => {
        const limit = JSON.stringify(queue.rateLimit);
        const last = before(queue, limit);
        return { rateLimit: last === undefined || last === limit ? queue.rateLimit : null };
      });
      return override(driver, { take });
    },
  },
  'a group rate limit holds back all others': {
    breaks: 'limits: a group rate limit holds back its group',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: takeBy(driver, ({ rateLimit, groupRateLimit }) => ({
          rateLimit: groupRateLimit ?? rateLimit,
          groupRateLimit: null,
        })),
      }),
  },
  'a batch of one group spends one token': {
    breaks: 'limits: a batch of one group spends',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: async (request) => {
          const { messages, retryIn } = await driver.take({ ...request, perGroup: 1 });
          const { queue, perGroup, max } = request;
          const { groupId } = messages.at(-1) ?? { groupId: null };
          const isOver = groupId === null || queue.groupMaxInFlight > 1 || perGroup === 1;
          if (isOver || messages.length >= max) return { messages, retryIn };
          const waiting = (await browseAll(driver, queue, 'ready')).filter(
            (one) => one.groupId === groupId,
          );
          const ids = waiting.slice(0, perGroup - 1).map(({ id }) => id);
          const more = await driver.take({ ...request, ids, max: max - messages.length });
          return { messages: [...messages, ...more.messages], retryIn };
        },
      }),
  },
  "the store's clock is another": {
    breaks: 'G14 the store tells',
    plant: (driver) => override(driver, { now: async () => (await driver.now()) + 1 }),
  },
};

const DEDUPLICATION_BUGS: Readonly<Record<string, Bug>> = {
  "a message's own window is ignored": {
    breaks: 'G12 a message may have a window',
    inHistories: true,
    plant: (driver) =>
      override(driver, { publish: publishAs(driver, () => ({ deduplicationWindow: undefined })) }),
  },
  'the last does not take the place of the one that waits': {
    breaks: 'G12 with keepLast the next one',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishAs(driver, ({ keepLast, deduplicationId }) =>
          keepLast === true ? { deduplicationId: `${deduplicationId} ${Math.random()}` } : {},
        ),
      }),
  },
  'the last replaces what is held': {
    breaks: 'G12 a message that was leased',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: async (items, options) => {
          const [{ targets, message } = { targets: [], message: null }] = items;
          if (message?.keepLast === true && targets.length === 1) {
            const leased = await browseAll(driver, targets[0]!, 'leased');
            const held = leased.find((one) => one.deduplicationId === message.deduplicationId);
            const answer: PublishOutcome[] = [{ status: 'replaced', id: held?.id ?? '' }];
            if (held !== undefined) {
              return [...answer, ...(await driver.publish(items.slice(1), options))];
            }
          }
          return driver.publish(items, options);
        },
      }),
  },
  'a replacement needs room for all of it': {
    breaks: 'G8 G12 a full queue has room',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: async (items, options) => {
          const [{ targets, message } = { targets: [], message: null }] = items;
          const [target] = targets;
          if (message?.keepLast === true && target !== undefined) {
            const { ready, scheduled, leased } = await driver.counts(target);
            if (ready + scheduled + leased >= target.maxSize) {
              const full: PublishOutcome = {
                status: 'full',
                queue: target.name,
                limit: 'maxSize',
              };
              return [full, ...(await driver.publish(items.slice(1), options))];
            }
          }
          return driver.publish(items, options);
        },
      }),
  },
  'a fence lets the same value in twice': {
    breaks: 'G12 a fence lets a value in',
    inHistories: true,
    plant: (driver) => {
      let sent = 0;
      const publish = publishAs(driver, ({ fence }) => {
        sent += 1;
        return { fence: fence && { key: fence.key, value: fence.value + sent / 1e6 } };
      });
      return override(driver, { publish });
    },
  },
  'a refused send moves its fence': {
    breaks: 'G12 a refused send moves no fence',
    inHistories: true,
    plant: (driver) => {
      const refused = new Map<number, number>();
      return override(driver, {
        publish: async (items, options) => {
          const outcomes = await driver.publish(items, options);
          return outcomes.map((outcome, index) => {
            const { targets, message } = items[index]!;
            const [target] = targets;
            if (message.fence === undefined || target === undefined) return outcome;
            const last = refused.get(target.number) ?? -1;
            if (outcome.status === 'full') refused.set(target.number, message.fence.value);
            else if (message.fence.value <= last) return { status: 'duplicate', id: '' };
            return outcome;
          });
        },
      });
    },
  },
};

export const LIMIT_BUGS: Readonly<Record<string, Bug>> = {
  ...LEASE_LIMIT_BUGS,
  ...RATE_BUGS,
  ...DEDUPLICATION_BUGS,
};
