import { setMaxListeners } from 'node:events';
import { LeaseLostError } from '../core/errors.ts';
import type { Delivery, MessageQueueSystem } from '../index.ts';

export interface PumpOptions {
  readonly queue: string;
  readonly consumerId: string;
  /** Most messages to begin with. */
  readonly max: number;
  /** Most messages begun and not yet settled. */
  readonly concurrency: number;
  /** How many of those places must be free before more is taken: taking a few at a time is slow. */
  readonly refillAt: number;
  /** Milliseconds to wait for a message when there is none; `Infinity`: until the signal. */
  readonly waitMs: number;
  /** Stop: take nothing more, finish what was begun. */
  readonly signal: AbortSignal;
  /** Milliseconds that what was begun may take after the signal. */
  readonly graceMs: number;
}

/**
 * Settles one delivery. When `giveUp` fires, the time for that is over: it must release the
 * delivery and return.
 */
export type Handle = (delivery: Delivery, giveUp: AbortSignal) => Promise<void>;

/** A wait without end is made of these, so that no timer is set beyond what timers can. */
const WAIT_SLICE_MS = 60_000;

/**
 * Takes messages and hands them on until `max` were taken, none is left, or the signal comes.
 * Leases are extended while their handling lasts.
 * @throws what failed first, `handle` or the store, after everything begun was settled
 */
export async function pump(
  mq: MessageQueueSystem,
  options: PumpOptions,
  handle: Handle,
): Promise<void> {
  const running = new Map<Delivery, Promise<void>>();
  const failed = new AbortController();
  const giveUp = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // Every delivery in work listens: more than Node's idea of a leak.
  setMaxListeners(0, giveUp.signal);
  const stopKeeping = keepLeases(mq.getQueue(options.queue).settings.leaseDuration, running);
  const begin = (delivery: Delivery): void => {
    const work = handle(delivery, giveUp.signal)
      .catch((error: unknown) => failed.abort(error))
      .finally(() => running.delete(delivery));
    running.set(delivery, work);
  };
  try {
    let left = options.max;
    while (left > 0 && !signal.aborted) {
      const room = Math.min(options.concurrency - running.size, left);
      if (room < Math.min(options.refillAt, left)) {
        await Promise.race(running.values());
        continue;
      }
      const deliveries = await receive(mq, options, room, signal);
      left -= deliveries.length;
      if (signal.aborted) {
        await Promise.all(deliveries.map((delivery) => release(mq, delivery)));
      } else if (deliveries.length > 0) deliveries.forEach(begin);
      else if (running.size > 0) await Promise.race(running.values());
      else if (options.waitMs !== Infinity) break;
    }
  } catch (error) {
    failed.abort(error);
  }
  await finish(running, options, giveUp);
  stopKeeping();
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function receive(
  mq: MessageQueueSystem,
  { queue, consumerId, waitMs }: PumpOptions,
  max: number,
  signal: AbortSignal,
): Promise<Delivery[]> {
  try {
    return await mq.receiveMessage(queue, consumerId, {
      max,
      waitMs: Math.min(waitMs, WAIT_SLICE_MS),
      signal,
    });
  } catch (error) {
    if (signal.aborted) return [];
    throw error;
  }
}

/** Waits for what was begun; from the signal on, for no longer than the grace. */
async function finish(
  running: ReadonlyMap<Delivery, Promise<void>>,
  { signal, graceMs }: PumpOptions,
  giveUp: AbortController,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const startGrace = (): void => {
    timer ??= setTimeout(() => giveUp.abort(), graceMs);
  };
  if (signal.aborted) startGrace();
  else signal.addEventListener('abort', startGrace);
  await Promise.all(running.values());
  signal.removeEventListener('abort', startGrace);
  clearTimeout(timer);
}

/** Gives a delivery back without counting a retry. One that was lost meanwhile is nobody's business. */
export async function release(mq: MessageQueueSystem, delivery: Delivery): Promise<void> {
  try {
    await mq.rejectMessage(delivery.id, delivery.lease.consumerId, 'released', { requeue: true });
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error;
  }
}

/** Three times within a lease, so that two extensions may fail. @returns how to stop */
function keepLeases(leaseDuration: number, held: ReadonlyMap<Delivery, unknown>): () => void {
  const timer = setInterval(() => {
    for (const delivery of held.keys()) {
      // A lease that could not be extended shows when the delivery is settled.
      delivery.extendLease(leaseDuration).catch(() => {});
    }
  }, leaseDuration / 3);
  return () => clearInterval(timer);
}
