import type { BrokerPort, HeldMessage } from 'wherry';
import { AmqpError } from '../../protocols/amqp/errors.ts';
import type { ChannelState, OpenDelivery } from './channel-state.ts';
import type { Settlement } from './pending-transaction.ts';
import { queueTraits } from './queue-traits.ts';

type Ended = (error: Error | null) => void;

/**
 * Takes one delivery out of the client's hand.
 * @throws AmqpError 406 when it has none of this tag
 */
export function takeDelivery(channel: ChannelState, tag: number): OpenDelivery {
  const delivery = channel.unacknowledged.get(tag);
  if (delivery === undefined) {
    throw new AmqpError('precondition-failed', `unknown delivery tag ${tag}`);
  }
  channel.unacknowledged.delete(tag);
  return delivery;
}

/**
 * Takes all deliveries up to one out of the client's hand.
 * @param tag 0: all there are
 * @throws AmqpError 406 when it has none of this tag
 */
export function takeDeliveries(channel: ChannelState, tag: number): OpenDelivery[] {
  const { unacknowledged } = channel;
  if (tag !== 0 && !unacknowledged.has(tag)) {
    throw new AmqpError('precondition-failed', `unknown delivery tag ${tag}`);
  }
  const taken: OpenDelivery[] = [];
  for (const delivery of unacknowledged.values()) {
    if (tag !== 0 && delivery.tag > tag) break;
    unacknowledged.delete(delivery.tag);
    taken.push(delivery);
  }
  return taken;
}

/** Ends the lease of a delivery that was taken, in the way that the client has said. */
export function settle(
  { host, outstanding }: ChannelState,
  { consumer, held }: OpenDelivery,
  as: Settlement,
  done: Ended = host.vhost.feeds.settled,
): void {
  consumer?.ended();
  const { port } = host.vhost;
  // It took too long, and somebody else has it.
  if (held === null) return done(null);
  if (as === 'acknowledge') return port.settle(held, done);
  outstanding.begin();
  const ended: Ended = (error) => {
    done(error);
    outstanding.end();
  };
  if (as === 'reject') port.fail(held, 'rejected', ended);
  else requeue(port, held, ended);
}

/** A message goes back to its place, unless that has happened too often. */
export function requeue(port: BrokerPort, held: HeldMessage, done: Ended): void {
  const queue = port.findQueue(held.queue.name);
  const limit = (queue && queueTraits(queue).deliveryLimit) ?? Infinity;
  if (held.stored.deliveryCount > limit) port.fail(held, 'delivery-limit', done);
  else port.giveBack(held, 'requeue', done);
}

/** Gives back what the client has in hand. Resolves when all of it may be had again. */
export async function giveAllBack(channel: ChannelState): Promise<void> {
  const taken = takeDeliveries(channel, 0);
  await Promise.all(taken.map((delivery) => settled(channel, delivery, 'requeue')));
}

/** As `settle`, for whoever waits for it. Never rejects. */
export function settled(
  channel: ChannelState,
  delivery: OpenDelivery,
  as: Settlement,
): Promise<void> {
  return new Promise((resolve) => {
    settle(channel, delivery, as, (error) => {
      channel.host.vhost.feeds.settled(error);
      resolve();
    });
  });
}
