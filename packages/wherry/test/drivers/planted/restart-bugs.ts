/** Bugs that show when a store is opened again. */
import type { Driver, QueueRef, Receipt } from '../../../src/core/driver.ts';
import { override, receiptOf, type RestartBug } from './plant.ts';

export interface PersistenceBug extends RestartBug {
  /** How the titles of the tests begin that must see it. */
  readonly breaks: string;
}

const endLeases = (driver: Driver, receipts: readonly Receipt[]): Promise<unknown> =>
  driver.extend(receipts.map((receipt) => ({ receipt, leaseDuration: 0 })));

/** Remembers something on the way into the driver, for its restart to get wrong. */
function wrapped<T>(
  wrap: (driver: Driver, seen: T[]) => Driver,
  restart: (driver: Driver, seen: readonly T[]) => Promise<unknown>,
): RestartBug {
  const seen = new WeakMap<Driver, T[]>();
  return {
    wrap: (driver) => {
      const list: T[] = [];
      const planted = wrap(driver, list);
      seen.set(planted, list);
      return planted;
    },
    restart: async (driver, ending) => {
      await endLeases(driver, ending);
      await restart(driver, seen.get(driver)!.splice(0));
    },
  };
}

export const RESTART_BUGS: Readonly<Record<string, PersistenceBug>> = {
  'leases of a dead holder go on': {
    breaks: "G6 a bound holder's leases",
    restart: async () => undefined,
  },
  'the mark of a lease is lost: the delivery does not count': {
    breaks: 'G6 deliveries are counted',
    restart: (driver, ending) =>
      driver.release(ending.map((receipt) => ({ receipt, delay: 0, as: 'unstarted' }))),
  },
  'the mark of a lease stays when the message goes back': {
    breaks: 'G6 what was not begun',
    ...wrapped<Receipt>(
      (driver, seen) =>
        override(driver, {
          release: (items) => {
            seen.push(...items.map(({ receipt }) => receipt));
            return driver.release(items);
          },
        }),
      async (driver, seen) => {
        for (const { queue, id } of seen) {
          const request = { consumerId: 'ghost', max: 1, leaseDuration: 0, bound: true };
          await driver.take({ ...request, queue, ids: [id], perGroup: 1 });
        }
      },
    ),
  },
  'leases that should go on have ended': {
    breaks: 'G3 G4 an unbound',
    ...wrapped<Receipt>(
      (driver, seen) =>
        override(driver, {
          take: async (request) => {
            const taken = await driver.take(request);
            seen.push(...taken.messages.map((one) => receiptOf(request.queue, one)));
            return taken;
          },
        }),
      endLeases,
    ),
  },
  'the last send is lost: it was confirmed before the commit': {
    breaks: 'G1 everything stored',
    ...wrapped<{ queue: QueueRef; id: string }>(
      (driver, seen) =>
        override(driver, {
          publish: async (items, options) => {
            const outcomes = await driver.publish(items, options);
            const last = outcomes.at(-1);
            const queue = items.at(-1)?.targets[0];
            if (last?.status === 'stored' && queue) seen.push({ queue, id: last.id });
            return outcomes;
          },
        }),
      async (driver, seen) => {
        const last = seen.at(-1);
        if (last === undefined) return;
        const request = { consumerId: 'thief', max: 1, leaseDuration: 1, bound: true };
        const ids = [last.id];
        const taken = await driver.take({ ...request, queue: last.queue, ids, perGroup: 1 });
        const [lost] = taken.messages;
        if (lost) await driver.settle([{ ...last, token: lost.lease.token }]);
      },
    ),
  },
  'what was settled comes back': {
    breaks: 'G2 what was settled',
    ...wrapped<{ queue: QueueRef; body: string }>(
      (driver, seen) =>
        override(driver, {
          settle: async (receipts) => {
            for (const { queue, id } of receipts) {
              const body = (await driver.get(id))?.body;
              if (typeof body === 'string') seen.push({ queue, body });
            }
            return driver.settle(receipts);
          },
        }),
      async (driver, seen) => {
        for (const { queue, body } of seen) {
          const message = { encoding: 'text', body, bytes: 1, properties: null } as const;
          const rest = { priority: 0, delay: 0, deliverAt: null, ttl: null } as const;
          const ids = { groupId: null, deduplicationId: null };
          await driver.publish([{ targets: [queue], message: { ...message, ...rest, ...ids } }]);
        }
      },
    ),
  },
  'the rates begin anew': {
    breaks: 'limits: what a rate has let go',
    ...wrapped<never>(
      (driver) => {
        let openings = 0;
        const taken = new Map<number, number>();
        return override(driver, {
          open: async () => {
            openings += 1;
          },
          take: (request) => {
            const { queue } = request;
            const isFirst = (taken.get(queue.number) ?? 0) !== openings;
            taken.set(queue.number, openings);
            return driver.take({
              ...request,
              queue: isFirst ? { ...queue, rateLimit: null, groupRateLimit: null } : queue,
            });
          },
        });
      },
      (driver) => driver.open(),
    ),
  },
  'fences are forgotten': {
    breaks: 'G12 fences hold',
    ...wrapped<never>(
      (driver) => {
        let openings = 0;
        return override(driver, {
          open: async () => {
            openings += 1;
          },
          publish: (items, options) =>
            driver.publish(
              items.map(({ targets, message }) => {
                const { fence } = message;
                const changed = fence && { ...fence, key: `${openings} ${fence.key}` };
                return { targets, message: { ...message, fence: changed } };
              }),
              options,
            ),
        });
      },
      (driver) => driver.open(),
    ),
  },
  'what waits to be replaced is forgotten': {
    breaks: 'G12 with keepLast what waits',
    ...wrapped<never>(
      (driver) => {
        let openings = 0;
        return override(driver, {
          open: async () => {
            openings += 1;
          },
          publish: (items, options) =>
            driver.publish(
              items.map(({ targets, message }) => {
                const { keepLast, deduplicationId } = message;
                if (keepLast !== true || openings === 0) return { targets, message };
                const changed = `${openings} ${deduplicationId}`;
                return { targets, message: { ...message, deduplicationId: changed } };
              }),
              options,
            ),
        });
      },
      (driver) => driver.open(),
    ),
  },
  'what was sent is forgotten': {
    breaks: 'G12 what was sent',
    ...wrapped<never>(
      (driver) => {
        let openings = 0;
        return override(driver, {
          open: async () => {
            openings += 1;
          },
          publish: (items, options) =>
            driver.publish(
              items.map(({ targets, message }) => {
                const { deduplicationId } = message;
                const changed = deduplicationId && `${openings} ${deduplicationId}`;
                return { targets, message: { ...message, deduplicationId: changed } };
              }),
              options,
            ),
        });
      },
      (driver) => driver.open(),
    ),
  },
};
