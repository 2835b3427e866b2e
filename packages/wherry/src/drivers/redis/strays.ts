import type { Redis } from 'ioredis';
import type { Finding } from './examination.ts';
import type { RedisClient } from './options.ts';
import { mastersOf } from './server-facts.ts';

/** Keys that are looked at by one call. */
const PART = 1_000;

/** Messages under the number of a queue, or of a place of one. */
interface Stored {
  readonly number: number;
  readonly name: string;
  readonly messages: number;
}

/**
 * Finds messages of queues that the store does not know. There are some when it was emptied, or went
 * back to what it was before, while a process went on to send.
 * @param knownPlaces the numbers of all queues and places, asked for when all keys were looked at
 */
export async function findStrays(
  client: RedisClient,
  prefix: string,
  knownPlaces: () => Promise<Iterable<number>>,
): Promise<Finding[]> {
  const found = await Promise.all(mastersOf(client).map((server) => storedOn(server, prefix)));
  // A queue is known before its first message is stored.
  const known = new Set(await knownPlaces());
  return found
    .flat()
    .filter(({ number }) => !known.has(number))
    .map(({ number, name, messages }) => ({
      code: 'stray',
      message:
        `${messages} of '${name}' are stored for the queue number ${number}, which the store does not know: ` +
        'it was emptied, or set back, while a process went on to send. The next queue of that number ' +
        `would have them. When no process has the store open, delete the keys ${prefix}:{q${number}}:*.`,
    }));
}

async function storedOn(server: Redis, prefix: string): Promise<Stored[]> {
  const start = `${prefix}:{q`;
  const end = '}:q';
  const pattern = `${start.replaceAll(/[*?[\]\\]/g, '\\$&')}*${end}`;
  const stored: Stored[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await server.scan(cursor, 'MATCH', pattern, 'COUNT', PART);
    cursor = next;
    for (const key of keys) {
      const fields = await server.hmget(key, 'name', 'deleted', 'ready', 'scheduled', 'leased');
      const [name, deleted, ...counts] = fields;
      const messages = counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
      const number = Number(key.slice(start.length, -end.length));
      if (deleted === null && messages > 0) stored.push({ number, name: name ?? '?', messages });
    }
  } while (cursor !== '0');
  return stored;
}
