/** Bugs in what looks at queues, clears them and tells of them. */
import type { Driver, LeasedMessage, QueueRef } from '../../../src/core/driver.ts';
import { browseAll, type Bug, override, receiptOf } from './plant.ts';

/** The driver's topology with another `put`. */
function overridePut(driver: Driver, put: Driver['topology']['put']): Driver {
  const { topology } = driver;
  return override(driver, {
    topology: {
      put,
      load: () => topology.load(),
      remove: (kind, name, version) => topology.remove(kind, name, version),
      watch: (listener) => topology.watch(listener),
    },
  });
}

export const VIEW_BUGS: Readonly<Record<string, Bug>> = {
  'a purge takes what is leased': {
    breaks: 'a purge',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        purge: async (queue) => {
          const leased = (await browseAll(driver, queue, 'leased')) as LeasedMessage[];
          await driver.settle(leased.map((one) => receiptOf(queue, one)));
          return driver.purge(queue);
        },
      }),
  },
  'a purge leaves what is delayed': {
    breaks: 'a purge',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        purge: async (queue) => {
          const ids = (await browseAll(driver, queue, 'ready')).map(({ id }) => id);
          const request = { consumerId: 'purge', max: 1_000, leaseDuration: 1, bound: true };
          const { messages } = await driver.take({ ...request, queue, ids, perGroup: 1 });
          await driver.settle(messages.map((one) => receiptOf(queue, one)));
          return messages.length;
        },
      }),
  },
  'a page that is not the last loses its last message': {
    breaks: 'pages of any size',
    plant: (driver) =>
      override(driver, {
        browse: async (request) => {
          const { messages, cursor } = await driver.browse(request);
          return { messages: cursor === null ? messages : messages.slice(0, -1), cursor };
        },
      }),
  },
  'the oldest age forgets who waits behind a group': {
    breaks: 'G10 the oldest',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        counts: async (queue) => {
          const counts = await driver.counts(queue);
          const ready = await browseAll(driver, queue, 'ready');
          const leased = await browseAll(driver, queue, 'leased');
          const held = new Set(leased.map(({ groupId }) => groupId));
          const free = ready.find(({ groupId }) => groupId === null || !held.has(groupId));
          return { ...counts, oldestTimestamp: free?.timestamp ?? null };
        },
      }),
  },
  'a forced deletion leaves the leases valid': {
    breaks: 'a queue is deleted with all it holds',
    plant: (driver) => {
      const gone = new Set<number>();
      return override(driver, {
        deleteQueue: (queue, options) => {
          gone.add(queue.number);
          return driver.deleteQueue(queue, options);
        },
        settle: async (receipts) => {
          const lost = await driver.settle(receipts);
          return lost.filter((index) => !gone.has(receipts[index]!.queue.number));
        },
      });
    },
  },
  'a queue with leased messages counts as empty': {
    breaks: 'a queue that is not empty',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        deleteQueue: async (queue, { onlyIfEmpty }) => {
          const { ready, scheduled } = await driver.counts(queue);
          return driver.deleteQueue(queue, { onlyIfEmpty: onlyIfEmpty && ready + scheduled > 0 });
        },
      }),
  },
  'the sweeper does not hold what it answers': {
    breaks: 'two sweepers',
    inHistories: true,
    plant: (driver) => {
      const refs = new Map<number, QueueRef>();
      return override(driver, {
        take: (request) => {
          refs.set(request.queue.number, request.queue);
          return driver.take(request);
        },
        sweep: async (max) => {
          const result = await driver.sweep(max);
          for (const message of result.messages) {
            const receipt = receiptOf(refs.get(message.queue)!, message);
            await driver.extend([{ receipt, leaseDuration: 0 }]);
          }
          return result;
        },
      });
    },
  },
  'a sweep says to come again too late': {
    breaks: 'a sweep says when',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        sweep: async (max) => {
          const { messages, nextIn } = await driver.sweep(max);
          return { messages, nextIn: nextIn && nextIn + 1 };
        },
      }),
  },
  'topology ignores versions': {
    breaks: 'an entry is created',
    plant: (driver) =>
      overridePut(driver, async (entry, expectedVersion) => {
        const stored = await driver.topology.put(entry, expectedVersion);
        if (stored !== null) return stored;
        const entries = await driver.topology.load();
        const present = entries.find(
          ({ kind, name }) => kind === entry.kind && name === entry.name,
        );
        return driver.topology.put(entry, present?.version ?? 0);
      }),
  },
  'nobody is woken': {
    breaks: 'takers are told',
    plant: (driver) => override(driver, { notifier: { subscribe: () => () => undefined } }),
  },
};
