import type { PublishItem, PublishOptions, PublishOutcome } from '../../core/driver.ts';
import { parseMessageId } from '../../core/message-id.ts';
import { BodyWriter } from './bodies.ts';
import type { DataContext } from './context.ts';
import { encodingOf } from './record.ts';
import { targetsJson } from './targets.ts';

/** An outcome as `wherry.publish_each` answers it: with all its parts, empty ones too. */
type Answer = Exclude<PublishOutcome, { status: 'full' | 'missing' }> & {
  readonly ids: readonly string[];
  readonly evicted: readonly object[];
};

/** Stores items one by one: sql/publish_each.sql. */
export async function publishEach(
  { database }: DataContext,
  items: readonly PublishItem[],
  { atomic, transaction }: PublishOptions,
): Promise<readonly PublishOutcome[]> {
  const bodies = new BodyWriter();
  for (const { message } of items) bodies.add(message);
  const json = items.map((item, index) => ({
    ...itemOf(item, database.salt),
    start: bodies.starts[index],
    length: bodies.lengths[index],
  }));
  const [row] = await database.call<{ result: string }>(
    'publish_each',
    [
      database.clockTime(),
      JSON.stringify(json),
      targetsJson(items.flatMap(({ targets }) => targets)),
      bodies.bytes(),
      atomic === true,
      transaction !== undefined,
    ],
    { transaction },
  );
  return (JSON.parse(row!.result) as (PublishOutcome | Answer)[]).map((outcome) => {
    if (outcome.status === 'full' || outcome.status === 'missing') return outcome;
    const { status, id, ids = [], evicted = [] } = outcome;
    return {
      status,
      id,
      ...(ids.length > 1 && { ids }),
      ...(evicted.length > 0 && { evicted }),
    };
  });
}

/** What is text in it is JSON that the database does not look into, or a name. */
function itemOf({ targets, message }: PublishItem, salt: number): object {
  const home = message.id === undefined ? null : parseMessageId(message.id, salt);
  return {
    targets: targets.map(({ number }) => number),
    id: message.id ?? null,
    home: home?.queueNumber,
    sequence: home?.sequence,
    encoding: encodingOf(message),
    bytes: message.bytes,
    properties: message.properties && JSON.stringify(message.properties),
    priority: message.priority,
    delay: message.delay,
    deliverAt: message.deliverAt,
    ttl: message.ttl,
    groupId: message.groupId,
    deduplicationId: message.deduplicationId,
    deduplicationWindow: message.deduplicationWindow,
    keepLast: message.keepLast ?? false,
    fence: message.fence,
    deaths: message.deaths?.length ? JSON.stringify(message.deaths) : null,
  };
}
