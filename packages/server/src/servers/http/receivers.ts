import { randomUUID } from 'node:crypto';
import type { Call } from './route.ts';

/** Somebody who receives over the network, now. */
export interface Receiver {
  readonly id: string;
  readonly kind: 'push' | 'poll';
  readonly vhost: string;
  readonly queue: string;
  /** The name that its leases carry. */
  readonly consumer: string;
  readonly user: string;
  readonly remoteAddress: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Messages that it holds; null: not known, a poll's are settled by other requests. */
  readonly held: () => number | null;
  /** Messages that it may be sent yet. */
  readonly credit: () => number;
}

/** Who receives from the queues of this broker: push connections and long polls. */
export class Receivers {
  readonly #receivers = new Set<Receiver>();

  /** @returns how to take it out again; once */
  add(
    call: Call<{ readonly queue: string }>,
    receiver: Pick<Receiver, 'kind' | 'consumer' | 'held' | 'credit'>,
  ): () => void {
    const { mq, params, vhost, identity, request } = call;
    const entry: Receiver = {
      ...receiver,
      id: randomUUID(),
      vhost,
      queue: params.queue,
      user: identity.name,
      remoteAddress: request.ip,
      since: Date.now(),
    };
    this.#receivers.add(entry);
    const uncount = mq.consumerManager.countReceiver(params.queue);
    return () => {
      this.#receivers.delete(entry);
      uncount();
    };
  }

  list(vhost: string): Receiver[] {
    return [...this.#receivers].filter((receiver) => receiver.vhost === vhost);
  }
}
