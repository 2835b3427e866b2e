/** Bugs in what lets messages in, and in what they leave for. */
import type { Driver, LeasedMessage, QueueRef, StoredMessage } from '../../../src/core/driver.ts';
import { browseAll, type Bug, override, receiptOf } from './plant.ts';

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

export const SEND_BUGS: Readonly<Record<string, Bug>> = {
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
  'a delayed message is handed out a millisecond early': {
    breaks: 'a delayed message',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishDelay(driver, (delay) => Math.max(0, delay - 1)),
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
  'a fan-out is stored in part': {
    breaks: 'a fan-out reaches all',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: async (items, options) => {
          const outcomes = await driver.publish(items, options);
          const torn = items.filter((_, index) => outcomes[index]?.status === 'full');
          for (const { targets, message } of torn) {
            await driver.publish([{ targets: targets.slice(0, 1), message }]);
          }
          return outcomes;
        },
      }),
  },
  'a refused send leaves a deduplication record': {
    breaks: 'G12 a refused send',
    inHistories: true,
    plant: (driver) => {
      const refused = new Set<string>();
      return override(driver, {
        publish: async (items, options) => {
          const outcomes = await driver.publish(items, options);
          return outcomes.map((outcome, index) => {
            const { deduplicationId } = items[index]!.message;
            if (deduplicationId === null) return outcome;
            if (outcome.status === 'full') refused.add(deduplicationId);
            else if (refused.has(deduplicationId)) return { status: 'duplicate', id: 'refused' };
            return outcome;
          });
        },
      });
    },
  },
  'bytes are shared with who gave or gets them': {
    breaks: 'G1 bytes',
    plant: (driver) => {
      const bodies: Uint8Array[] = [];
      const share = <T extends StoredMessage>(message: T): T =>
        typeof message.body === 'string' ? message : { ...message, body: bodies[0]! };
      return override(driver, {
        publish: (items, options) => {
          const [first] = items;
          if (first && typeof first.message.body !== 'string') bodies.push(first.message.body);
          return driver.publish(items, options);
        },
        take: async (request) => {
          const { messages, retryIn } = await driver.take(request);
          return { messages: messages.map(share), retryIn };
        },
      });
    },
  },
  'a priority is stored as it was given': {
    breaks: 'G5 a higher priority',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishTo(driver, (queue) => ({ ...queue, maxPriority: 255 })),
      }),
  },
  'the first queue says for all how high a priority is': {
    breaks: 'each queue of a fan-out stores what it has of the priority',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: (items, options) =>
          driver.publish(
            items.map(({ targets, message }) => {
              const maxPriority = targets[0]?.maxPriority ?? 255;
              return { targets: targets.map((target) => ({ ...target, maxPriority })), message };
            }),
            options,
          ),
      }),
  },
  'a moved message keeps its priority': {
    breaks: 'a moved message keeps what its target has',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        move: (items) =>
          driver.move(
            items.map(({ targets, ...item }) => ({
              ...item,
              targets: targets.map((target) => ({ ...target, maxPriority: 255 })),
            })),
          ),
      }),
  },
  'a death forgets its route': {
    breaks: 'a death keeps the route',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        move: (items) =>
          driver.move(
            items.map(({ death, ...item }) => {
              if (death === undefined) return item;
              const { route: _, ...rest } = death;
              return { ...item, death: rest };
            }),
          ),
      }),
  },
  'what is leased always takes room': {
    breaks: 'G8 where a bound counts what waits',
    inHistories: true,
    plant: (driver) =>
      override(driver, {
        publish: publishTo(driver, (queue) => ({ ...queue, boundOn: 'stored' })),
      }),
  },
};
