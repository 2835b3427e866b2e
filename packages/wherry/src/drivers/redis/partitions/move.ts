import type {
  MoveItem,
  MoveOutcome,
  QueueRef,
  Receipt,
  StoredMessage,
} from '../../../core/driver.ts';
import type { NewDeath } from '../../../core/message.ts';
import { candidatesFor } from './held.ts';
import { isSpread, placeIndex, type Places } from './places.ts';

export interface MoveParts {
  readonly places: Places;
  readonly salt: number;
  readonly move: (items: readonly MoveItem[]) => Promise<readonly MoveOutcome[]>;
  readonly get: (id: string) => Promise<StoredMessage | null>;
}

/** leased in one place of a queue -> ready in one place of each target, where its group is. */
export async function moveSpread(
  parts: MoveParts,
  items: readonly MoveItem[],
): Promise<readonly MoveOutcome[]> {
  const outcomes: MoveOutcome[] = [];
  // One by one: where one is full, the next place is tried, before those behind it take its room.
  for (const item of items) outcomes.push(await moveOne(parts, item));
  return outcomes;
}

async function moveOne(parts: MoveParts, item: MoveItem): Promise<MoveOutcome> {
  const targets = await targetsOf(parts, item);
  if ('status' in targets) return targets;
  const candidates = await candidatesFor(parts.places, parts.salt, item.receipt);
  for (const queue of candidates) {
    const { id, token } = item.receipt;
    const outcome = await moveFrom(parts, { queue, id, token }, item.death, targets);
    if (outcome.status !== 'lost') return outcome;
  }
  return { status: 'lost' };
}

/** The places that each target offers, the one to begin with first. */
type Offers = readonly (readonly QueueRef[])[];

async function targetsOf(parts: MoveParts, item: MoveItem): Promise<Offers | MoveOutcome> {
  const { places } = parts;
  const spread = item.targets.some(({ partitions }) => partitions > 1);
  const group = spread ? ((await parts.get(item.receipt.id))?.groupId ?? null) : null;
  const offers: (readonly QueueRef[])[] = [];
  for (const target of item.targets) {
    const all = await places.find(target);
    if (all === null) return { status: 'missing', queue: target.name };
    if (all.length === 1) offers.push(all);
    else if (group !== null) offers.push([all[placeIndex(group, all.length)]!]);
    else {
      const first = places.turn(target.number, all.length);
      offers.push([...all.slice(first), ...all.slice(0, first)]);
    }
  }
  return offers;
}

async function moveFrom(
  parts: MoveParts,
  receipt: Receipt,
  death: NewDeath | undefined,
  offers: Offers,
): Promise<MoveOutcome> {
  const tries = offers.map(() => 0);
  for (;;) {
    const targets = offers.map((offer, i) => offer[tries[i]!]!);
    const item = { receipt, targets, ...(death !== undefined && { death }) };
    const [outcome] = (await parts.move([item])) as [MoveOutcome];
    if (outcome.status !== 'full') return outcome;
    const full = targets.findIndex(({ name }) => name === outcome.queue);
    if (full < 0 || tries[full]! + 1 >= offers[full]!.length) return outcome;
    tries[full]! += 1;
  }
}

export function concernsSpreadMoves(items: readonly MoveItem[]): boolean {
  return items.some(
    ({ receipt, targets }) => receipt.queue.partitions > 1 || targets.some(isSpread),
  );
}
