import type { BrowsePage, BrowseRequest, StoredMessage } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import type { Lease, MessageState } from '../../core/message.ts';
import { parseMessageId } from '../../core/message-id.ts';
import type { DataContext } from './context.ts';
import { tokenOf } from './receipts.ts';
import { type EnvelopesRow, unpack } from './record.ts';

interface SeenRow extends EnvelopesRow {
  /** JSON, by message; null: there is no such queue. */
  readonly states: string | null;
  /** JSON, by message; null when none is leased. */
  readonly leases: string | null;
  readonly queue_name: string | null;
}

type SeenLease = readonly [
  consumerId: string,
  leaseNumber: number,
  place: number,
  until: number,
  cause: 'lease-expired' | 'expired' | null,
];

/** A page of one state. */
export async function browse(
  { database }: DataContext,
  { queue, state, cursor, limit }: BrowseRequest,
): Promise<BrowsePage> {
  const [time = '-1', turn = '-1'] = cursor?.split(' ') ?? [];
  const [row] = await database.call<SeenRow>(
    'browse',
    // One more tells whether there is another page.
    [queue.number, state, time, turn, limit + 1],
    { repeatable: true },
  );
  if (row!.queue_name === null) throw new QueueNotFoundError(queue.name);
  const messages = messagesOf(row!, database.salt);
  if (messages.length <= limit) return { messages, cursor: null };
  const last = messages[limit - 1]!;
  return { messages: messages.slice(0, limit), cursor: cursorAt(last) };
}

/** The stored message with this id, or null. */
export async function getMessage(
  { database }: DataContext,
  id: string,
): Promise<StoredMessage | null> {
  const parts = parseMessageId(id, database.salt);
  const [row] = await database.call<SeenRow>(
    'get_message',
    [parts?.queueNumber ?? 0, parts?.sequence ?? 0, id],
    { repeatable: true },
  );
  const [message] = row === undefined ? [] : messagesOf(row, database.salt);
  // The rest of an id is its time.
  return message?.id === id ? message : null;
}

function messagesOf(row: SeenRow, salt: number): StoredMessage[] {
  const states = JSON.parse(row.states ?? '[]') as MessageState[];
  const leases = JSON.parse(row.leases ?? '[]') as SeenLease[];
  return unpack(row, salt, (index) => {
    const seen = leases[index];
    return {
      queueName: row.queue_name ?? '',
      state: states[index]!,
      lease: seen === undefined ? null : leaseOf(seen),
      isDelivered: seen !== undefined && seen[4] !== 'expired',
    };
  });
}

function leaseOf([consumerId, number, place, until]: SeenLease): Lease {
  return { consumerId, token: tokenOf(number, place), until };
}

/** Where a message lies in the order of its state: `wherry.browse` says how. */
function cursorAt({ state, priority, sequence, availableAt }: StoredMessage): string {
  const rank = state === 'ready' ? BigInt(255 - priority) << 48n : 0n;
  const turn = rank + BigInt(sequence);
  return `${availableAt} ${turn}`;
}
