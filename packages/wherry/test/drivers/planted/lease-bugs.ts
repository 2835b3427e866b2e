/** Bugs in what happens to messages once they are stored. */
import type { Driver, LeasedMessage } from '../../../src/core/driver.ts';
import { MemoryQueue } from '../../../src/drivers/memory/queue.ts';
import type { MessageRecord } from '../../../src/drivers/memory/record.ts';
import { MemoryStore } from '../../../src/drivers/memory/store.ts';
import { browseAll, type Bug, override, patch, receiptOf } from './plant.ts';

/** Leases of another length than they say. */
function takeWithLease(driver: Driver, extra: number): Driver['take'] {
  return async (request) => {
    const leaseDuration = request.leaseDuration + extra;
    const { messages, retryIn } = await driver.take({ ...request, leaseDuration });
    const changed = messages.map((one) => ({
      ...one,
      lease: { ...one.lease, until: one.lease.until - extra },
    }));
    return { messages: changed, retryIn };
  };
}

/** Takes everything, keeps what another order brings first, gives the rest back. */
function takeInOrder(
  driver: Driver,
  isBefore: (a: LeasedMessage, b: LeasedMessage) => number,
): Driver['take'] {
  return async (request) => {
    if (request.ids !== undefined) return driver.take(request);
    const { messages, retryIn } = await driver.take({ ...request, max: 1_000 });
    const all = messages.toSorted(isBefore);
    const rest = all.slice(request.max).map((one) => receiptOf(request.queue, one));
    await driver.release(rest.map((receipt) => ({ receipt, delay: 0, as: 'unstarted' })));
    return { messages: all.slice(0, request.max), retryIn };
  };
}

export const LEASE_BUGS: Readonly<Record<string, Bug>> = {
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
  'a retry begins the TTL again': {
    breaks: 'G9 a retry',
    patch: () => {
      // oxlint-disable-next-line typescript/unbound-method -- called with its queue below
      const { release } = MemoryQueue.prototype;
      return patch(
        MemoryQueue.prototype,
        'release',
        function renew(this: MemoryQueue, record, slots, now, change) {
          release.call(this, record, slots, now, (released) => {
            change(released);
            if (released.expiresAt === null) return;
            (released as { expiresAt: MessageRecord['expiresAt'] }).expiresAt = now + 100;
          });
        },
      );
    },
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
          const taken = await driver.take(request);
          if (request.ids !== undefined || taken.messages.length === request.max) return taken;
          const leased = await browseAll(driver, request.queue, 'leased');
          const held = new Set(leased.map(({ groupId }) => groupId));
          const waiting = (await browseAll(driver, request.queue, 'ready')).find(
            ({ groupId }) => groupId !== null && !held.has(groupId),
          );
          if (waiting === undefined) return taken;
          const more = await driver.take({ ...request, ids: [waiting.id] });
          return { ...taken, messages: [...taken.messages, ...more.messages] };
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
};
