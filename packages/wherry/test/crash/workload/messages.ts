import { createHash } from 'node:crypto';
import type { Envelope, Message } from '../../../src/index.ts';
import type { DeathEntry, SendInvoked } from '../history.ts';
import { Random } from '../random.ts';

/** What varies between messages, chosen by producers. */
export type Spec = Omit<SendInvoked, 'op' | 'phase' | 'call' | 'bodyHash'>;

/** The handler of a poison message kills its process. */
export const POISON = 'poison';

const KINDS = { json: 60, text: 20, bytes: 15, large: 4, huge: 0.5 } as const;

export function chooseKind(random: Random): string {
  return random.weighted(KINDS);
}

/** The message that a spec describes: the same one each time, in whatever process. */
export function messageOf(spec: Spec): Message {
  const random = new Random(createHash('md5').update(spec.key).digest().readUInt32LE());
  return {
    payload: payloadOf(spec, random),
    messageId: spec.key,
    priority: spec.priority,
    ...(spec.group === null ? {} : { groupId: spec.group }),
    ...(spec.delay === 0 ? {} : { delay: spec.delay }),
    ...(spec.ttl === null ? {} : { ttl: spec.ttl }),
    ...(spec.maxRetries === null ? {} : { maxRetries: spec.maxRetries }),
    ...(spec.deduplicationId === null ? {} : { deduplicationId: spec.deduplicationId }),
    ...(random.chance(0.3) ? { headers: { seq: spec.seq, from: spec.producer, ok: true } } : {}),
    ...(random.chance(0.1) ? { correlationId: 'ä→b', replyTo: 'answers' } : {}),
    ...(spec.kind === POISON ? { contentType: POISON } : {}),
  };
}

function payloadOf(spec: Spec, random: Random): unknown {
  const word = (length: number): string => random.next().toString(36).padEnd(length, 'äx€');
  switch (spec.kind) {
    case 'text':
      return word(random.integer(0, 200));
    case 'bytes':
      return Uint8Array.from({ length: random.integer(0, 300) }, () => random.integer(0, 255));
    case 'large':
      return { text: word(random.integer(5_000, 12_000)) };
    case 'huge':
      return new Uint8Array(random.integer(50_000, 150_000)).fill(random.integer(0, 255));
    default:
      return { key: spec.key, text: word(random.integer(0, 150)), list: [1, null, { a: word(3) }] };
  }
}

export function keyOf({ message }: Envelope): string {
  return message.messageId ?? '';
}

/** Over everything that must come back as it was given, and that no other field of an event tells. */
export function hashOf(message: Message): string {
  const { payload, headers, contentType, correlationId, replyTo, messageId, maxRetries } = message;
  const hash = createHash('sha1');
  const rest = [headers, contentType, correlationId, replyTo, messageId, maxRetries];
  hash.update(JSON.stringify(rest.map((value) => value ?? null)));
  if (payload instanceof Uint8Array) hash.update('bytes').update(payload);
  else hash.update(JSON.stringify(payload));
  return hash.digest('base64url').slice(0, 16);
}

export function deathsOf({ deaths }: Envelope): DeathEntry[] {
  return deaths.map(({ queue, reason, count }) => [queue, reason, count]);
}
