import type { TakeRequest, TakeResult } from '../../core/driver.ts';
import { QueueNotFoundError } from '../../core/errors.ts';
import { parseMessageId } from '../../core/message-id.ts';
import { numbersIn, sqlList } from './arrays.ts';
import type { DataContext } from './context.ts';
import { finite } from './numbers.ts';
import { tokenAt } from './receipts.ts';
import { type EnvelopesRow, unpack } from './record.ts';

interface TakenRow extends EnvelopesRow {
  readonly is_missing: boolean | null;
  readonly is_unready: boolean | null;
  readonly retry_in: number | null;
  readonly until: number;
  readonly lease_numbers: string;
}

/** ready -> leased. */
export async function take(context: DataContext, request: TakeRequest): Promise<TakeResult> {
  const { database, notifier } = context;
  const { queue, consumerId } = request;
  let row: TakenRow | undefined;
  do {
    [row] = await (request.ids === undefined
      ? takeInOrder(context, request)
      : takeByIds(context, request, request.ids));
  } while (row!.is_unready === true);
  const { is_missing, retry_in, until, lease_numbers } = row!;
  if (is_missing === true) throw new QueueNotFoundError(queue.name);
  if (row!.sequences === null) return { messages: [], retryIn: retry_in };
  if (queue.boundOn === 'waiting') notifier.happened(queue.number, 'room');
  const leases = numbersIn(lease_numbers);
  const messages = unpack(row!, database.salt, (index) => ({
    queueName: queue.name,
    state: 'leased',
    lease: { consumerId, token: tokenAt(leases, index), until },
    isDelivered: true,
  }));
  return { messages, retryIn: retry_in };
}

function takeInOrder(
  { database }: DataContext,
  { queue, consumerId, max, leaseDuration, perGroup }: TakeRequest,
): Promise<readonly TakenRow[]> {
  const { maxInFlight, groupMaxInFlight, rateLimit, groupRateLimit } = queue;
  return database.call<TakenRow>('take', [
    database.clockTime(),
    queue.number,
    max,
    leaseDuration,
    consumerId,
    perGroup,
    finite(maxInFlight),
    groupMaxInFlight,
    rateLimit?.max ?? null,
    rateLimit?.per ?? null,
    groupRateLimit?.max ?? null,
    groupRateLimit?.per ?? null,
  ]);
}

function takeByIds(
  { database }: DataContext,
  { queue, consumerId, max, leaseDuration }: TakeRequest,
  ids: readonly string[],
): Promise<readonly TakenRow[]> {
  const { groupMaxInFlight, groupRateLimit } = queue;
  const all = [...new Set(ids)];
  return database.call<TakenRow>('take_by_ids', [
    database.clockTime(),
    queue.number,
    max,
    leaseDuration,
    consumerId,
    groupMaxInFlight,
    groupRateLimit?.max ?? null,
    groupRateLimit?.per ?? null,
    sqlList(all.map((id) => sequenceIn(id, queue.number, database.salt))),
    sqlList(all),
  ]);
}

/** @returns 0 when it does not follow from the id */
function sequenceIn(id: string, queueNumber: number, salt: number): number {
  const parts = parseMessageId(id, salt);
  return parts?.queueNumber === queueNumber ? parts.sequence : 0;
}
