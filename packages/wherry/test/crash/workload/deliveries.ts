import type { Receipt } from '../../../src/core/driver.ts';
import type { Delivery, MessageQueueSystem } from '../../../src/index.ts';
import type { Call, SettleOp } from '../history.ts';
import type { Recorder } from '../recorder.ts';
import { deathsOf, hashOf, keyOf } from './messages.ts';
import type { SettlementListener } from './settlement-watch.ts';

export interface Receiver {
  readonly consumer: string;
  /** @see Delivered.bound */
  readonly bound: boolean;
  /** Milliseconds. */
  readonly leaseDuration: number;
}

interface Pending {
  readonly op: SettleOp;
  readonly call: Call;
}

/** Records what is delivered, and how consumers settle it. */
export class Deliveries implements SettlementListener {
  readonly #mq: MessageQueueSystem;
  readonly #recorder: Recorder;
  /** Settlements that a `Consumer` makes by itself when a handler ended, by lease. */
  readonly #implicit = new Map<string, Pending>();
  #batches = 0;

  constructor(mq: MessageQueueSystem, recorder: Recorder) {
    this.#mq = mq;
    this.#recorder = recorder;
  }

  /** What the store was asked to end, and how it went. */
  settled({ id, token }: Receipt, outcome: 'done' | 'lost' | Error): void {
    const lease = leaseName(id, token);
    const pending = this.#implicit.get(lease);
    if (pending === undefined) return;
    this.#implicit.delete(lease);
    const { op, call } = pending;
    if (outcome === 'done') this.#recorder.record({ op, phase: 'ok', call, count: null });
    else if (outcome === 'lost') {
      this.#recorder.record({ op, phase: 'fail', call, error: 'LEASE_LOST' });
    } else this.#recorder.recordFailure(op, call, outcome);
  }

  handingBack(queue: string): void {
    const call = this.#recorder.nextCall();
    this.#recorder.record({ op: 'stop', phase: 'invoke', call, queue });
  }

  /** @param deliveries those of one handler, or of one take whose holder has one at a time */
  delivered(deliveries: readonly Delivery[], receiver: Receiver, together: boolean): void {
    this.#batches += 1;
    const records = deliveries.map((delivery) => {
      if (!together) this.#batches += 1;
      return {
        op: 'deliver',
        phase: 'ok',
        queue: delivery.queueName,
        ...receiver,
        batch: this.#batches,
        id: delivery.id,
        key: keyOf(delivery),
        priority: delivery.priority,
        group: delivery.message.groupId ?? null,
        bodyHash: hashOf(delivery.message),
        deliveryCount: delivery.deliveryCount,
        retryCount: delivery.retryCount,
        deaths: deathsOf(delivery),
        token: delivery.lease.token,
        until: delivery.lease.until,
      } as const;
    });
    this.#recorder.record(...records);
  }

  acknowledge(delivery: Delivery): Promise<void> {
    return this.#settle('ack', delivery, null, () => delivery.acknowledge());
  }

  /** By the public call that knows the message by its id. */
  acknowledgeById(delivery: Delivery): Promise<void> {
    const { id, lease } = delivery;
    const work = (): Promise<void> => this.#mq.acknowledgeMessage(id, lease.consumerId);
    return this.#settle('ack', delivery, null, work);
  }

  /** @param delay milliseconds, or null for the queue's back-off */
  retry(delivery: Delivery, delay: number | null): Promise<void> {
    return this.#settle('retry', delivery, delay, () =>
      delay === null ? delivery.reject(new Error('on purpose')) : delivery.retry({ delay }),
    );
  }

  rejectById(delivery: Delivery): Promise<void> {
    const { id, lease } = delivery;
    const work = (): Promise<void> => this.#mq.rejectMessage(id, lease.consumerId, 'on purpose');
    return this.#settle('retry', delivery, null, work);
  }

  requeue(delivery: Delivery): Promise<void> {
    const { id, lease } = delivery;
    const options = { requeue: true };
    const work = (): Promise<void> =>
      this.#mq.rejectMessage(id, lease.consumerId, 'on purpose', options);
    return this.#settle('requeue', delivery, null, work);
  }

  deadLetter(delivery: Delivery): Promise<void> {
    return this.#settle('dead-letter', delivery, null, () => delivery.deadLetter('on purpose'));
  }

  extend(delivery: Delivery, ms: number): Promise<void> {
    return this.#settle('extend', delivery, ms, () => delivery.extendLease(ms));
  }

  /** The consumer is about to do it, because its handler ends so. */
  willSettle(op: SettleOp, delivery: Delivery, delay: number | null): void {
    const call = this.#invoke(op, delivery, delay);
    this.#implicit.set(leaseName(delivery.id, delivery.lease.token), { op, call });
  }

  async #settle(
    op: SettleOp,
    delivery: Delivery,
    delay: number | null,
    work: () => Promise<void>,
  ): Promise<void> {
    const call = this.#invoke(op, delivery, delay);
    try {
      await work();
      this.#recorder.record({ op, phase: 'ok', call, count: null });
    } catch (error) {
      this.#recorder.recordFailure(op, call, error);
    }
  }

  #invoke(op: SettleOp, { id, lease }: Delivery, delay: number | null): Call {
    const call = this.#recorder.nextCall();
    this.#recorder.record({ op, phase: 'invoke', call, id, token: lease.token, delay });
    return call;
  }
}

function leaseName(id: string, token: number): string {
  return `${id}:${token}`;
}
