import { type MessageProperties, NEVER, type NewMessage, type StoredMessage } from '../driver.ts';
import { utf8Length } from '../limits.ts';

export interface CarryContext {
  /** By the store that the message comes from, milliseconds since 1970: what is due by then is ready. */
  readonly sourceNow: number;
  /** By the store that it goes to. */
  readonly targetNow: number;
  /** The retries that its queue allows. */
  readonly maxRetries: number;
}

/**
 * A stored message as another store can take it, under the id that it has. Moments stay what they
 * are: when it becomes available, when it expires. What a new message cannot say is left behind:
 * when it was stored first, the copies that it was sent with, and how often it was tried; of the
 * retries it gets what is left. It is not held against deduplication records, as in every move.
 */
export function carry(stored: StoredMessage, context: CarryContext): NewMessage {
  const { id, encoding, body, priority, groupId, deduplicationId, deaths } = stored;
  const properties = withRetriesLeft(stored, context.maxRetries);
  const grown = lengthOf(properties) - lengthOf(stored.properties);
  return {
    id,
    encoding,
    body,
    bytes: stored.bytes + grown,
    properties,
    priority,
    delay: 0,
    ...timesOf(stored, context),
    groupId,
    deduplicationId,
    deduplicationWindow: 0,
    deaths,
  };
}

/**
 * A message that is out of reach of consumers stays so, and does not expire. One that would expire
 * before it becomes available does so still: then it is available for its last millisecond only.
 */
function timesOf(
  { availableAt, expiresAt, parked }: StoredMessage,
  { sourceNow, targetNow }: CarryContext,
): Pick<NewMessage, 'deliverAt' | 'ttl'> {
  if (parked !== null || availableAt >= NEVER) return { deliverAt: NEVER, ttl: null };
  const waits = availableAt > sourceNow;
  if (expiresAt === null) return { deliverAt: waits ? availableAt : null, ttl: null };
  const deliverAt = waits ? Math.min(availableAt, expiresAt - 1) : null;
  const ttl = expiresAt - Math.max(targetNow, deliverAt ?? 0);
  return { deliverAt, ttl: Math.max(1, ttl) };
}

function withRetriesLeft(
  { properties, retryCount }: StoredMessage,
  maxRetries: number,
): MessageProperties | null {
  if (retryCount === 0) return properties;
  const allowed = properties?.maxRetries ?? maxRetries;
  return { ...properties, maxRetries: Math.max(0, allowed - retryCount) };
}

function lengthOf(properties: MessageProperties | null): number {
  return properties === null ? 0 : utf8Length(JSON.stringify(properties));
}
