import type { MoveItem, MoveOutcome } from '../../core/driver.ts';
import type { DataContext } from './context.ts';
import { leaseAndPlaceOf } from './receipts.ts';
import { targetsJson } from './targets.ts';

/** A MoveOutcome as `wherry.move` answers it. */
type Answer = MoveOutcome & {
  readonly ids?: readonly string[];
  readonly evicted?: readonly object[] | null;
  /** Something may have come up at the source that was held back. */
  readonly freed?: boolean;
};

/** leased here -> ready in each target (G7). */
export async function move(
  { database, notifier }: DataContext,
  items: readonly MoveItem[],
): Promise<readonly MoveOutcome[]> {
  if (items.length === 0) return [];
  const json = items.map(({ receipt, targets, death }) => ({
    queue: receipt.queue.number,
    slots: receipt.queue.groupMaxInFlight,
    ...leaseAndPlaceOf(receipt.token),
    id: receipt.id,
    targets: targets.map(({ number }) => number),
    death: death && JSON.stringify(death),
  }));
  const [row] = await database.call<{ result: string }>('move', [
    database.clockTime(),
    JSON.stringify(json),
    targetsJson(items.flatMap(({ targets }) => targets)),
  ]);
  return (JSON.parse(row!.result) as Answer[]).map((answer, index) => {
    if (answer.status !== 'moved') return answer;
    const { receipt, targets } = items[index]!;
    const { queue } = receipt;
    notifier.happened(queue.number, 'room');
    if (answer.freed === true || queue.maxInFlight !== Infinity) {
      notifier.happened(queue.number, 'ready');
    }
    for (const target of targets) {
      notifier.happened(target.number, 'ready');
      if (target.evictTo !== null) notifier.happened(target.evictTo.number, 'ready');
    }
    const { ids, evicted } = answer;
    return { status: 'moved', ids, ...(evicted?.length && { evicted }) };
  });
}
