import type { MoveItem, MoveOutcome } from '../../../core/driver.ts';
import { move } from '../move.ts';
import type { RedisStore } from '../store.ts';
import { evictions } from './evictions.ts';
import { moveAcross } from './moves.ts';
import { alone, dropsElsewhere } from './places.ts';

/** leased here -> ready in each target, wherever in the cluster, as if one went after the other. */
export async function moveInCluster(
  store: RedisStore,
  items: readonly MoveItem[],
): Promise<readonly MoveOutcome[]> {
  const outcomes: MoveOutcome[] = [];
  for (const part of inTurns(items)) {
    const answers = staysHere(part[0]!)
      ? await move(store, part.map(withinPlace))
      : await moveAcross(store, part, evictions);
    outcomes.push(...answers);
  }
  return outcomes;
}

/** What may go at once: neighbours of one kind, of which none is in another's way. */
function inTurns(items: readonly MoveItem[]): MoveItem[][] {
  const parts: MoveItem[][] = [];
  const ids = new Set<string>();
  for (const item of items) {
    const part = parts.at(-1);
    const isAlone = isInTheWay(item) || (part !== undefined && isInTheWay(part[0]!));
    const isOther = part === undefined || staysHere(part[0]!) !== staysHere(item);
    if (isAlone || isOther || ids.has(item.receipt.id)) {
      parts.push([item]);
      ids.clear();
    } else part.push(item);
    ids.add(item.receipt.id);
  }
  return parts;
}

/** To several queues, where a refusal gives room back; or to one that drops others. */
function isInTheWay(item: MoveItem): boolean {
  const { targets } = item;
  if (staysHere(item)) return false;
  return targets.length > 1 || targets.some(({ overflow }) => overflow === 'drop-oldest');
}

/** To nowhere, or back into its own queue. */
function staysHere({ receipt, targets }: MoveItem): boolean {
  return targets.every(
    (target) => target.number === receipt.queue.number && !dropsElsewhere(target),
  );
}

function withinPlace({ receipt, targets, death }: MoveItem): MoveItem {
  const { queue, id, token } = receipt;
  return {
    receipt: { queue: alone(queue), id, token },
    targets: targets.map(alone),
    ...(death !== undefined && { death }),
  };
}
