/**
 * Checks the conformance suite: each bug planted in a correct driver must fail a test of the
 * guarantee that it breaks, and, where the histories can show it, the comparison with the model.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Driver, LeasedMessage, QueueRef, StoredMessage } from '../../src/core/driver.ts';
import { MemoryQueue } from '../../src/drivers/memory/queue.ts';
import type { MessageRecord } from '../../src/drivers/memory/record.ts';
import { MemoryStore } from '../../src/drivers/memory/store.ts';
import { memoryStores, override, receiptOf, runSuite } from './plant.ts';

interface Bug {
  /** How the titles of the tests begin that must see it. */
  readonly breaks: string;
  readonly plant?: (driver: Driver) => Driver;
  /** Plants it inside the memory driver instead, the model's too. @returns how to take it out */
  readonly patch?: () => () => void;
  /** The random histories see it, too. */
  readonly inHistories?: boolean;
}

const GAPS = { reopen: 'memory', crash: 'memory' };

/** A change to every queue that messages are published to. */
function publishTo(driver: Driver, change: (queue: QueueRef) => QueueRef): Driver['publish'] {
  return (items, options) =>
    driver.publish(
      items.map((item) => ({ ...item, targets: item.targets.map(change) })),
      options,
    );
}

function publishDelay(driver: Driver, change: (delay: number) => number): Driver['publish'] {
  return (items, options) => {
    const changed = items.map(({ targets, message }) => {
      const delay = change(message.delay);
      return { targets, message: { ...message, delay } };
    });
    return driver.publish(changed, options);
  };
}

/** Leases of another length than they say. */
function takeWithLease(driver: Driver, extra: number): Driver['take'] {
  return async (request) => {
    const leaseDuration = request.leaseDuration + extra;
    const batch = await driver.take({ ...request, leaseDuration });
    return batch.map((one) => ({
      ...one,
      lease: { ...one.lease, until: one.lease.until - extra },
    }));
  };
}

/** Takes everything, keeps what another order brings first, gives the rest back. */
function takeInOrder(
  driver: Driver,
  isBefore: (a: LeasedMessage, b: LeasedMessage) => number,
): Driver['take'] {
  return async (request) => {
    if (request.ids !== undefined) return driver.take(request);
    const all = (await driver.take({ ...request, max: 1_000 })).toSorted(isBefore);
    const rest = all.slice(request.max).map((one) => receiptOf(request.queue, one));
    await driver.release(rest.map((receipt) => ({ receipt, delay: 0, as: 'unstarted' })));
    return all.slice(0, request.max);
  };
}

const browseAll = async (
  driver: Driver,
  queue: QueueRef,
  state: 'ready' | 'leased',
): Promise<readonly StoredMessage[]> =>
  (await driver.browse({ queue, state, limit: 1_000 })).messages;

/** Replaces a method of the driver's inside. @returns how to put it back */
function patch<T extends object, K extends keyof T>(
  prototype: T,
  key: K,
  method: T[K],
): () => void {
  const original = prototype[key];
  prototype[key] = method;
  return () => {
    prototype[key] = original;
  };
}

const BUGS: Record<string, Bug> = {
  'any token settles': {
    breaks: 'G4',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        settle: async (receipts) => {
          const tokens = receipts.map(
            async (one) => (await driver.get(one.id))?.lease?.token ?? -1,
          );
          const present = await Promise.all(tokens);
          return driver.settle(receipts.map((one, index) => ({ ...one, token: present[index]! })));
        },
      }),
  },
  'a late token is good while nobody else has the message': {
    breaks: 'G4',
    patch: () =>
      patch(MemoryStore.prototype, 'held', function held(this: MemoryStore, receipt) {
        const record = this.messages.get(receipt.id);
        return record?.lease?.token === receipt.token ? record : undefined;
      }),
  },
  'a lease ends a millisecond late': {
    breaks: 'G4',
    inHistories: true,
    plant: (driver) => override(driver, { take: takeWithLease(driver, 1) }),
  },
  'a lease ends a millisecond early': {
    breaks: 'G3',
    inHistories: true,
    plant: (driver) => override(driver, { take: takeWithLease(driver, -1) }),
  },
  'an extension has no effect': {
    breaks: 'G3',
    inHistories: true,
    plant: (driver) => override(driver, { extend: async () => [] }),
  },
  'priority is ignored': {
    breaks: 'G5 the higher priority',
    inHistories: true,
    plant: (driver) =>
      override(driver, { take: takeInOrder(driver, (a, b) => a.sequence - b.sequence) }),
  },
  'of equal priority the last comes first': {
    breaks: 'G5',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: takeInOrder(driver, (a, b) => b.priority - a.priority || b.sequence - a.sequence),
      }),
  },
  'a message given back goes to the end': {
    breaks: 'G5',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        release: async (items) => {
          const atOnce = items.filter(({ delay }) => delay === 0);
          await driver.move(atOnce.map(({ receipt }) => ({ receipt, targets: [receipt.queue] })));
          return driver.release(items.filter(({ delay }) => delay > 0));
        },
      }),
  },
  'a retry is not counted as one': {
    breaks: 'G6 a retry',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        release: (items) =>
          driver.release(
            items.map((item) => (item.as === 'retry' ? { ...item, as: 'requeue' } : item)),
          ),
      }),
  },
  'what was not begun is counted': {
    breaks: 'G15',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        release: (items) =>
          driver.release(
            items.map((item) => (item.as === 'unstarted' ? { ...item, as: 'requeue' } : item)),
          ),
      }),
  },
  'suspects are handed out together': {
    breaks: 'G6 suspects',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        release: (items) => driver.release(items.map((item) => ({ ...item, suspect: false }))),
      }),
  },
  'a move leaves a copy behind': {
    breaks: 'G7',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        move: (items) =>
          driver.move(
            items.map((item) => ({ ...item, targets: [...item.targets, item.receipt.queue] })),
          ),
      }),
  },
  'a move to a full queue loses the message': {
    breaks: 'G8 a move',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        move: async (items) => {
          const outcomes = await driver.move(items);
          const refused = items.filter((_, index) => outcomes[index]?.status === 'full');
          await driver.settle(refused.map(({ receipt }) => receipt));
          return outcomes;
        },
      }),
  },
  'the bound is one message too high': {
    breaks: 'G8',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishTo(driver, (queue) => ({ ...queue, maxSize: queue.maxSize + 1 })),
      }),
  },
  'bytes are not bounded': {
    breaks: 'G8 no more than maxBytes',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishTo(driver, (queue) => ({ ...queue, maxBytes: Infinity })),
      }),
  },
  'a leased message is evicted': {
    breaks: 'G8 drop-oldest never',
    plant: (driver) =>
      override(driver, {
        publish: async (items, options) => {
          const [queue] = items[0]?.targets ?? [];
          if (queue?.overflow === 'drop-oldest') {
            const counts = await driver.counts(queue);
            const isFull = counts.ready + counts.leased >= queue.maxSize;
            const [oldest] = isFull ? await browseAll(driver, queue, 'leased') : [];
            if (oldest) await driver.settle([receiptOf(queue, oldest as LeasedMessage)]);
          }
          return driver.publish(items, options);
        },
      }),
  },
  'a message may be taken a millisecond past its TTL': {
    breaks: 'G9',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: (items, options) =>
          driver.publish(
            items.map(({ targets, message }) => {
              const ttl = message.ttl === null ? null : message.ttl + 1;
              return { targets, message: { ...message, ttl } };
            }),
            options,
          ),
      }),
  },
  'a retry begins the TTL again': {
    breaks: 'G9 a retry',
    patch: () => {
      const { release } = MemoryQueue.prototype;
      return patch(
        MemoryQueue.prototype,
        'release',
        function renew(this: MemoryQueue, record, now, change) {
          release.call(this, record, now, (released) => {
            change(released);
            if (released.expiresAt === null) return;
            (released as { expiresAt: MessageRecord['expiresAt'] }).expiresAt = now + 100;
          });
        },
      );
    },
  },
  'a delayed message is handed out a millisecond early': {
    breaks: 'a delayed message',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishDelay(driver, (delay) => Math.max(0, delay - 1)),
      }),
  },
  'a release with a delay is counted as ready': {
    breaks: 'a back-off',
    inHistories: true,
    plant: (driver) => {
      let delayed = 0;
      return override(driver, {
        release: (items) => {
          delayed += items.filter(({ delay }) => delay > 0).length;
          return driver.release(items);
        },
        counts: async (queue) => {
          const counts = await driver.counts(queue);
          const wrong = Math.min(delayed, counts.scheduled);
          return {
            ...counts,
            ready: counts.ready + wrong,
            scheduled: counts.scheduled - wrong,
          };
        },
      });
    },
  },
  'a back-off does not block its group': {
    breaks: 'G11 a back-off',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: async (request) => {
          const batch = await driver.take(request);
          if (request.ids !== undefined || batch.length === request.max) return batch;
          const leased = await browseAll(driver, request.queue, 'leased');
          const held = new Set(leased.map(({ groupId }) => groupId));
          const waiting = (await browseAll(driver, request.queue, 'ready')).find(
            ({ groupId }) => groupId !== null && !held.has(groupId),
          );
          if (waiting === undefined) return batch;
          return [...batch, ...(await driver.take({ ...request, ids: [waiting.id] }))];
        },
      }),
  },
  'of a group one too many is held in a batch': {
    breaks: 'G11 a batch',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        take: (request) =>
          driver.take({ ...request, perGroup: request.perGroup > 1 ? request.perGroup + 1 : 1 }),
      }),
  },
  'the deduplication window is a millisecond too long': {
    breaks: 'G12 the window ends',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishTo(driver, (queue) => ({
          ...queue,
          deduplicationWindow: queue.deduplicationWindow && queue.deduplicationWindow + 1,
        })),
      }),
  },
  'the deduplication window is a millisecond too short': {
    breaks: 'G12 within the window',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishTo(driver, (queue) => ({
          ...queue,
          deduplicationWindow: Math.max(0, queue.deduplicationWindow - 1),
        })),
      }),
  },
  'one refused item fails its batch': {
    breaks: 'G13 each item',
    inHistories: true,
    plant: (driver) =>
      override(driver, { publish: (items) => driver.publish(items, { atomic: true }) }),
  },
  'an atomic batch is stored in part': {
    breaks: 'G13 an atomic batch with a refused item',
    inHistories: true,
    plant: (driver) => override(driver, { publish: (items) => driver.publish(items) }),
  },
};

for (const [name, bug] of Object.entries(BUGS)) {
  test(`the suite sees that ${name}`, async () => {
    const restore = bug.patch?.();
    try {
      const createStore = memoryStores(bug.plant ?? ((driver) => driver));
      const run = { createStore, gaps: GAPS, model: { runs: 300, seed: 7, shrink: false } };
      const tests = await runSuite({ ...run, only: (title) => title.startsWith(bug.breaks) });
      assert.notDeepEqual(tests.failed, [], `no test '${bug.breaks} …' failed`);
      if (bug.inHistories !== true) return;
      const histories = await runSuite({ ...run, only: (title) => title.includes('histories') });
      assert.equal(histories.failed.length, 1, 'no history showed it');
    } finally {
      restore?.();
    }
  });
}
