import { type BrokerPort, type HeldMessage, ValidationError } from 'wherry';
import { decodeProperties, encodeProperties } from '../../../protocols/amqp/properties.ts';
import type { AmqpMessage, AmqpPublish, GetMode } from '../../../protocols/management/amqp-side.ts';
import { ContentAssembly } from '../messages/content-assembly.ts';
import type { AmqpVhost } from '../contracts.ts';
import { contentOf } from '../messages/delivery.ts';
import { directionOf } from '../messages/direction.ts';
import { plainProperties, propertiesOf } from '../messages/plain-properties.ts';
import { queueTraits } from '../definitions/queue-traits.ts';
import { accessRefused, notFound } from '../definitions/refuse.ts';

/** Messages that are looked at are taken so many at a time. */
const TAKE_MAX = 32;
/** Until whoever looks at them must have given them back. */
const LEASE_MS = 60_000;
/** As of our own API's messages. All go into one frame, and clients break off at one that is too large. */
const PROPERTIES_BYTES_MAX = 64 * 1024;

/**
 * Publishes for somebody who does not speak AMQP. Resolves when it is stored.
 * @returns whether it reached a queue
 * @throws AmqpError what its rules refuse; RangeError, ValidationError what no frame can hold;
 *   QueueFullError, StorageError
 */
export async function publishMessage(
  { port, name: vhost }: AmqpVhost,
  { exchange: name, routingKey, properties, payload, user }: AmqpPublish,
): Promise<boolean> {
  const exchange = name === '' ? null : port.findExchange(name);
  if (exchange === undefined) throw notFound('exchange', name, vhost);
  if (exchange?.internal === true) {
    throw accessRefused(`cannot publish to internal exchange '${name}' in vhost '${vhost}'`);
  }
  const raw = encodeProperties(propertiesOf(properties));
  if (raw.length > PROPERTIES_BYTES_MAX) {
    throw new ValidationError(
      `The properties have ${raw.length} bytes; at most ${PROPERTIES_BYTES_MAX} may be. ` +
        'Put large values into the payload.',
    );
  }
  const direction = directionOf(raw, { exchange, routingKey, user, replyName: null });
  const assembly = new ContentAssembly({
    ticket: 0,
    exchange: name,
    routingKey,
    mandatory: false,
    immediate: false,
  });
  assembly.begin(direction, payload.length);
  assembly.add(payload);
  const queues = port.route(name, direction.routingKeys, direction.headers);
  if (queues.length === 0) return false;
  await settled((done) => port.publish(queues, assembly.message(), done));
  return true;
}

export interface GetOptions {
  readonly count: number;
  /** Of payloads, apart from the first. */
  readonly bytesMax: number;
  readonly mode: GetMode;
}

/**
 * Takes messages for somebody who looks at them, and gives them back, or not. What makes no sense
 * becomes a dead letter, as when a consumer gets it.
 * @throws QueueNotFoundError, StorageError
 */
export async function getMessages(
  { port, feeds }: AmqpVhost,
  queue: string,
  { count, bytesMax, mode }: GetOptions,
): Promise<AmqpMessage[]> {
  const found = port.findQueue(queue);
  const isQuorum = found !== undefined && queueTraits(found).type === 'quorum';
  const shown: AmqpMessage[] = [];
  const taken: HeldMessage[] = [];
  const spare: HeldMessage[] = [];
  let left = bytesMax;
  // What lies ready for consumers is at the head of the queue for everybody else.
  await feeds.surrender(queue);
  try {
    while (shown.length < count && spare.length === 0) {
      const max = Math.min(TAKE_MAX, count - shown.length);
      const request = { consumerId: feeds.holder, max, leaseDuration: LEASE_MS, bound: true };
      const { messages } = await port.take(queue, request);
      for (const held of messages) {
        const message = show(port, held, isQuorum);
        if (message instanceof Error) {
          feeds.undeliverable(held, message);
          continue;
        }
        left -= held.stored.body.length;
        // One is shown however large it is.
        if (left < 0 && shown.length > 0) spare.push(held);
        else {
          shown.push(message);
          taken.push(held);
        }
      }
      if (messages.length < max) break;
    }
    await Promise.all(taken.map((held) => end(port, held, mode)));
    return shown;
  } catch (error) {
    spare.push(...taken);
    throw error;
  } finally {
    // Those that were settled meanwhile are not there to be given back.
    for (const held of spare) port.giveBack(held, 'unstarted', feeds.settled);
  }
}

/** @returns why it makes no sense, if it does not */
function show(port: BrokerPort, { stored }: HeldMessage, isQuorum: boolean): AmqpMessage | Error {
  try {
    const { exchange, routingKey, properties, payload } = contentOf(stored, isQuorum);
    return {
      exchange,
      routingKey,
      redelivered: port.isRedelivered(stored),
      properties: plainProperties(decodeProperties(properties, true)),
      payload,
    };
  } catch (error) {
    return error as Error;
  }
}

function end(port: BrokerPort, held: HeldMessage, mode: GetMode): Promise<void> {
  return settled((done) => {
    if (mode === 'acknowledge') port.settle(held, done);
    else if (mode === 'reject') port.fail(held, 'rejected', done);
    else port.giveBack(held, 'requeue', done);
  });
}

function settled(begin: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((error) => (error === null ? resolve() : reject(error)));
  });
}
