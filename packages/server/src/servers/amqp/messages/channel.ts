import { AmqpError } from '../../../protocols/amqp/errors.ts';
import type { Method } from '../../../protocols/amqp/methods.ts';
import { ChannelState, type OpenDelivery } from './channel-state.ts';
import type { ChannelEnd, ChannelHost, ChannelInfo } from '../contracts.ts';
import type { Holder } from './feeds.ts';
import { acknowledge, nack, recover, reject } from '../handlers/acknowledge.ts';
import { selectConfirms } from '../handlers/confirm.ts';
import { cancel, consume, endReplies } from '../handlers/consume.ts';
import { handleExchange } from '../handlers/exchange.ts';
import { get } from '../handlers/get.ts';
import { publish, publishBody, publishHeader } from '../handlers/publish.ts';
import { qos } from '../handlers/qos.ts';
import { handleQueue } from '../handlers/queue.ts';
import { commit, restore, rollBack, selectTransactions } from '../handlers/transaction.ts';
import { giveAllBack, letGo, requeue } from './unacknowledged.ts';

/** What a connection's channel does. */
export function createChannel(number: number, host: ChannelHost): ChannelEnd {
  return new Channel(number, host);
}

class Channel implements ChannelEnd, Holder {
  readonly #state: ChannelState;
  readonly #stop: (() => void)[];

  constructor(number: number, host: ChannelHost) {
    this.#state = new ChannelState(number, host);
    this.#stop = [
      host.vhost.feeds.keep(this),
      host.onDrain(() => {
        this.#state.replies?.resume();
        this.#state.wakeConsumers();
      }),
    ];
  }

  method(method: Method): void | Promise<void> {
    const state = this.#state;
    switch (method.name) {
      case 'basic.publish':
        return publish(state, method.args);
      case 'basic.ack':
        return acknowledge(state, method.args.deliveryTag, method.args.multiple);
      case 'basic.nack':
        return nack(state, method.args);
      case 'basic.reject':
        return reject(state, method.args);
      case 'basic.get':
        return get(state, method.args);
      case 'basic.consume':
        return consume(state, method.args);
      case 'basic.cancel':
        return cancel(state, method.args);
      case 'basic.qos':
        return qos(state, method.args);
      case 'basic.recover':
        return recover(state, method.args, true);
      case 'basic.recover-async':
        return recover(state, method.args, false);
      case 'confirm.select':
        return selectConfirms(state, method.args);
      case 'tx.select':
        return selectTransactions(state);
      case 'tx.commit':
        return commit(state);
      case 'tx.rollback':
        return rollBack(state);
      default: {
        const done = handleQueue(state, method) ?? handleExchange(state, method);
        if (done !== null) return done;
        throw new AmqpError('command-invalid', `${method.name} is not for clients to send`);
      }
    }
  }

  acknowledge(deliveryTag: number, multiple: boolean): void {
    acknowledge(this.#state, deliveryTag, multiple);
  }

  header(payload: Buffer): void | Promise<void> {
    return publishHeader(this.#state, payload);
  }

  body(payload: Buffer): void {
    publishBody(this.#state, payload);
  }

  flow(isActive: boolean): void {
    this.#state.isFlowing = isActive;
    if (!isActive) return;
    this.#state.replies?.resume();
    this.#state.wakeConsumers();
  }

  /** Who may not read a queue any more gets no more of it. */
  refusal(): AmqpError | null {
    const { consumers, host } = this.#state;
    try {
      for (const { queue } of consumers.values()) host.require('read', queue, 'queue');
      return null;
    } catch (error) {
      if (error instanceof AmqpError) return error;
      throw error;
    }
  }

  async close(): Promise<void> {
    const state = this.#state;
    state.isClosed = true;
    state.confirms?.close();
    for (const stop of this.#stop) stop();
    endReplies(state);
    const consumers = [...state.consumers.values()];
    state.consumers.clear();
    if (state.transaction !== null) restore(state, state.transaction.settlements);
    state.transaction?.end();
    // First the messages: a queue that goes with its last consumer has them back by then.
    await giveAllBack(state);
    const ends = await Promise.allSettled(consumers.map((consumer) => consumer.end()));
    for (const end of ends) {
      if (end.status === 'rejected') state.host.vhost.feeds.settled(end.reason as Error);
    }
  }

  describe(): ChannelInfo {
    const { confirms, consumers, globalPrefetch, number, prefetch, transaction, unacknowledged } =
      this.#state;
    return {
      number,
      prefetch,
      globalPrefetch,
      consumers: consumers.size,
      unacknowledged: unacknowledged.size,
      unconfirmed: confirms?.size ?? 0,
      isConfirm: confirms !== null,
      isTransactional: transaction !== null,
    };
  }

  *inHand(): Iterable<OpenDelivery> {
    yield* this.#state.unacknowledged.values();
    for (const { delivery } of this.#state.transaction?.settlements ?? []) yield delivery;
  }

  giveBack(delivery: OpenDelivery): void {
    const { held } = delivery;
    if (held === null) return;
    const { vhost } = this.#state.host;
    letGo(this.#state, held);
    delivery.held = null;
    requeue(vhost, held, vhost.feeds.settled);
  }
}
