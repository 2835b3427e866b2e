import type {
  ExtendItem,
  LostIndexes,
  QueueRef,
  Receipt,
  ReleaseItem,
  SettleOptions,
} from '../../core/driver.ts';
import { numbersIn, sqlArray, sqlList } from './arrays.ts';
import type { DataContext } from './context.ts';
import { eachProven, type PackedReceipts } from './receipts.ts';

/** leased -> gone. */
export async function settle(
  context: DataContext,
  receipts: readonly Receipt[],
  { transaction }: SettleOptions = {},
): Promise<LostIndexes> {
  const { database, notifier } = context;
  const freed = new Set<number>();
  const call = async (packed: PackedReceipts): Promise<readonly number[]> => {
    const args = [database.clockTime(), ...argumentsOf(packed)];
    if (transaction !== undefined) {
      const [row] = await database.call<{ result: string }>('settle_in_transaction', args, {
        transaction,
      });
      return (JSON.parse(row!.result) as { lost: number[] }).lost;
    }
    const [row] = await database.call<{ lost: string; freed: string }>('settle', args);
    for (const number of numbersIn(row!.freed)) freed.add(number);
    return numbersIn(row!.lost);
  };
  const lost = await eachProven({ receipts, salt: database.salt, call });
  if (transaction === undefined) {
    for (const queue of queuesOf(receipts, lost)) {
      notifier.happened(queue.number, 'room');
      if (freed.has(queue.number) || queue.maxInFlight !== Infinity) {
        notifier.happened(queue.number, 'ready');
      }
    }
  }
  return lost;
}

/** leased -> ready or scheduled. */
export async function release(
  { database, notifier }: DataContext,
  items: readonly ReleaseItem[],
): Promise<LostIndexes> {
  const receipts = items.map(({ receipt }) => receipt);
  const call = async (packed: PackedReceipts): Promise<readonly number[]> => {
    const sorted = packed.order.map((index) => items[index]!);
    const [row] = await database.call<{ lost: string }>('release', [
      database.clockTime(),
      ...argumentsOf(packed),
      sqlList(sorted.map(({ delay }) => (Number.isFinite(delay) ? delay : null))),
      sqlList(sorted.map((item) => (item.as === 'retry' ? 1 : 0))),
      sqlList(sorted.map((item) => (item.as === 'unstarted' ? 0 : 1))),
      sqlList(sorted.map((item) => item.suspect ?? (item.as === 'unstarted' ? null : false))),
      sqlArray(sorted.map(({ parked }) => (parked === undefined ? null : JSON.stringify(parked)))),
    ]);
    return numbersIn(row!.lost);
  };
  const lost = await eachProven({ receipts, salt: database.salt, call });
  for (const { number } of queuesOf(receipts, lost)) notifier.happened(number, 'ready');
  return lost;
}

/** Leases end later, counted from now. */
export async function extend(
  { database }: DataContext,
  items: readonly ExtendItem[],
): Promise<LostIndexes> {
  // Of two for the same lease the later one counts.
  const last = new Map(items.map((item) => [keyOf(item.receipt), item]));
  const distinct = [...last.values()];
  const receipts = distinct.map(({ receipt }) => receipt);
  const variantOf = (index: number): number => distinct[index]!.leaseDuration;
  const call = async (packed: PackedReceipts): Promise<readonly number[]> => {
    // Those that are extended alike are handled together.
    const [row] = await database.call<{ lost: string }>('extend', [
      database.clockTime(),
      packed.queueNumbers,
      packed.leases,
      packed.counts,
      sqlList(packed.firsts.map(variantOf)),
      packed.places,
      packed.sequences,
      packed.ids,
    ]);
    return numbersIn(row!.lost);
  };
  const lost = await eachProven({ receipts, salt: database.salt, call, variantOf });
  const lostKeys = new Set(lost.map((index) => keyOf(receipts[index]!)));
  return items.flatMap(({ receipt }, index) => (lostKeys.has(keyOf(receipt)) ? [index] : []));
}

function keyOf({ queue, id, token }: Receipt): string {
  return `${queue.number} ${token} ${id}`;
}

function argumentsOf(packed: PackedReceipts): (string | null)[] {
  const { queueNumbers, slots, leases, counts, places, sequences, ids } = packed;
  return [queueNumbers, slots, leases, counts, places, sequences, ids];
}

/** @returns the queues of all receipts but the lost ones, each once */
function queuesOf(receipts: readonly Receipt[], lost: LostIndexes): Iterable<QueueRef> {
  const isLost = new Set(lost);
  const queues = new Map<number, QueueRef>();
  for (const [index, { queue }] of receipts.entries()) {
    if (!isLost.has(index)) queues.set(queue.number, queue);
  }
  return queues.values();
}
