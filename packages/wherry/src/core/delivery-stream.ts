import type { Clock } from './clock.ts';
import type { Delivery } from './delivery.ts';
import type { Driver } from './driver.ts';
import { ClosedError, LeaseLostError } from './errors.ts';
import type { Events } from './events.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { MessageBroker } from './message-broker.ts';
import type { Done } from './held.ts';
import type { Settler } from './settler.ts';

export interface StreamParts {
  readonly broker: MessageBroker;
  readonly driver: Driver;
  readonly settler: Settler;
  readonly events: Events;
  readonly clock: Clock;
}

/** Times in milliseconds. */
export interface StreamSettings {
  readonly queueName: string;
  readonly consumerId: string;
  readonly batchSize: number;
  readonly leaseDuration: number;
  readonly pollInterval: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Deliveries for `for await`. Each is for the loop's body to settle; leases are extended while the
 * loop goes on. Leaving it gives back what was not begun, and retries what was begun and not settled.
 */
export async function* streamDeliveries<T>(
  settings: StreamSettings,
  parts: StreamParts,
): AsyncGenerator<Delivery<T>, void, undefined> {
  const { queueName, consumerId, batchSize, leaseDuration, pollInterval, signal } = settings;
  const report = (error: unknown): void =>
    parts.events.emit('consumerError', { queue: queueName, consumerId, error });
  const keeper = new LeaseKeeper(parts.driver, parts.clock, leaseDuration, report);
  const begun = new Set<Delivery>();
  let waiting: Delivery<T>[] = [];
  const options = { consumerId, max: batchSize, leaseDuration, bound: true, perGroup: 1 };
  const wait = {
    waitMs: Infinity,
    pollMs: pollInterval,
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    while (!isAborted(signal)) {
      waiting = await parts.broker.receive<T>(queueName, options, wait);
      for (const delivery of waiting) keeper.add(delivery);
      while (waiting.length > 0 && !isAborted(signal)) {
        const delivery = waiting.shift() as Delivery<T>;
        if (!isFresh(delivery, parts, report)) {
          keeper.delete(delivery);
          continue;
        }
        begun.add(delivery);
        yield delivery;
        forgetSettled(begun, keeper);
      }
    }
  } catch (error) {
    // The system's close, or the signal, ends the loop; nothing went wrong.
    const ended = error instanceof ClosedError || (isAborted(signal) && error === signal?.reason);
    if (!ended) throw error;
  } finally {
    forgetSettled(begun, keeper);
    keeper.close();
    await giveBack(waiting, 'unstarted', parts.settler, report);
    await giveBack([...begun], 'retry', parts.settler, report);
  }
}

/** However long the message waited for the loop: else it goes back. */
function isFresh(
  delivery: Delivery,
  { clock, settler }: StreamParts,
  report: (error: unknown) => void,
): boolean {
  if (delivery.mayBegin(clock.now())) return true;
  delivery.settled = true;
  settler.giveBack(delivery, 'unstarted', reportTo(report));
  return false;
}

/** That a lease was lost is told by its own event. */
function reportTo(report: (error: unknown) => void): Done {
  return (_held, error) => {
    if (error !== null && !(error instanceof LeaseLostError)) report(error);
  };
}

/** What was acknowledged in a transaction is its: when it rolls back, the lease runs out. */
function forgetSettled(begun: Set<Delivery>, keeper: LeaseKeeper): void {
  for (const delivery of begun) {
    if (!delivery.settled && !delivery.inTransaction) continue;
    begun.delete(delivery);
    keeper.delete(delivery);
  }
}

async function giveBack(
  deliveries: readonly Delivery[],
  as: 'unstarted' | 'retry',
  settler: Settler,
  report: (error: unknown) => void,
): Promise<void> {
  const done = reportTo(report);
  for (const delivery of deliveries) {
    if (delivery.settled) continue;
    delivery.settled = true;
    if (as === 'unstarted') settler.giveBack(delivery, as, done);
    else {
      const error = new Error('The loop was left before the message was settled.');
      settler.settleFailure(delivery, { kind: 'failed', error, delay: 0 }, true, done);
    }
  }
  await settler.idle();
}

/** A function, because the compiler takes a property that was false once to stay so. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
