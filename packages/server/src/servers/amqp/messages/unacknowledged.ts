import { type HeldMessage, readContent } from 'wherry';
import { AmqpError } from '../../../protocols/amqp/errors.ts';
import { scanProperties } from '../../../protocols/amqp/properties.ts';
import type { ChannelState, OpenDelivery } from './channel-state.ts';
import type { AmqpVhost } from '../contracts.ts';
import type { Settlement } from './pending-transaction.ts';
import { memoryOf } from '../connection/publish-budget.ts';
import { type QueueTraits, queueTraits } from '../definitions/queue-traits.ts';

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
  channel: ChannelState,
  { consumer, held }: OpenDelivery,
  as: Settlement,
  done: Ended | null = null,
): void {
  const { host, outstanding } = channel;
  const { vhost } = host;
  const { feeds } = vhost;
  if (held !== null) letGo(channel, held);
  // What goes back comes before what has waited behind it: only then may its consumer have more.
  const goesBack = held !== null && as === 'requeue';
  if (goesBack) void feeds.surrender(held.queue.name);
  if (!goesBack) consumer?.ended();
  // It took too long, and somebody else has it.
  if (held === null) return done?.(null);
  outstanding.begin();
  if (as !== 'acknowledge') feeds.acknowledgements.flush();
  if (as === 'acknowledge' && done === null) {
    feeds.acknowledgements.add(held, channel.acknowledged);
    return;
  }
  const ended: Ended = (error) => {
    if (goesBack) consumer?.ended();
    (done ?? feeds.settled)(error);
    outstanding.end();
  };
  const { leases } = feeds;
  if (as === 'acknowledge') return leases.settle(held, ended);
  if (as === 'reject') leases.fail(held, 'rejected', ended);
  else requeue(vhost, held, ended);
}

/** A message goes back to its place, unless that has happened too often, or it may not wait there. */
export function requeue(
  { feeds, port }: Pick<AmqpVhost, 'feeds' | 'port'>,
  held: HeldMessage,
  done: Ended,
): void {
  const queue = port.findQueue(held.queue.name);
  const reason = queue === undefined ? null : reasonToDie(queueTraits(queue), held);
  if (reason === null) feeds.leases.giveBack(held, 'requeue', done);
  else feeds.leases.fail(held, reason, done);
}

/** @returns why a message does not go back; null: it does */
function reasonToDie(
  { deliveryLimit, forbidsWaiting, overflow }: QueueTraits,
  { stored }: HeldMessage,
): 'delivery-limit' | 'expired' | 'overflow' | null {
  if (stored.deliveryCount > (deliveryLimit ?? Infinity)) return 'delivery-limit';
  if (forbidsWaiting === 'overflow') return overflow === 'drop-head' ? 'overflow' : null;
  return forbidsWaiting ?? (hasNoTime(stored) ? 'expired' : null);
}

/** Its expiration is 0: what time it was given was for the way to who waited for it. */
function hasNoTime({ body, encoding, expiresAt }: HeldMessage['stored']): boolean {
  if (expiresAt === null || encoding !== 'amqp') return false;
  const { properties } = readContent(body as Uint8Array);
  return Number(scanProperties(properties).expiration) === 0;
}

/** Bodies up to this size are not worth a copy of what stands before the payload. */
const KEPT_BODY_MAX = 1_024;
const NOTHING = Buffer.alloc(0);

/** A message was written to its client, which has it in hand from now on. */
export function keep(
  { host, unacknowledged }: ChannelState,
  delivery: OpenDelivery & { held: HeldMessage },
): void {
  delivery.held = withoutPayload(delivery.held);
  host.bytesInHand += memoryOf(delivery.held.stored);
  unacknowledged.set(delivery.tag, delivery);
}

/** The client does not have it in hand any more. */
export function letGo({ host }: ChannelState, { stored }: HeldMessage): void {
  host.bytesInHand -= memoryOf(stored);
}

/**
 * The payload is in the store: in memory it would be held for as long as a client likes that has any
 * number of messages in hand. What stands before it says where the message goes when it dies.
 */
function withoutPayload(held: HeldMessage): HeldMessage {
  const { stored } = held;
  const { body, encoding } = stored;
  if (body.length <= KEPT_BODY_MAX) return held;
  if (typeof body === 'string') return { ...held, stored: { ...stored, body: '' } };
  const headBytes = encoding === 'amqp' ? body.length - readContent(body).payload.length : 0;
  const head = headBytes === 0 ? NOTHING : Buffer.from(body.subarray(0, headBytes));
  return { ...held, stored: { ...stored, body: head } };
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
