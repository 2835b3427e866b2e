import type {
  NewMessage,
  PublishItem,
  PublishOptions,
  PublishOutcome,
  QueueRef,
} from '../../../core/driver.ts';
import { failedInPart } from '../errors.ts';
import { affinityOf, isSpread, placeIndex, type Places } from './places.ts';

export type Publish = (
  items: readonly PublishItem[],
  options: PublishOptions,
) => Promise<readonly PublishOutcome[]>;

/** An item, and where its copies go. */
interface Aimed {
  readonly item: PublishItem;
  /** The places of each target. */
  readonly choices: readonly (readonly QueueRef[])[];
  /** The chosen one of each. */
  readonly chosen: number[];
  /** How many more may be tried when one is full. */
  triesLeft: number;
}

/**
 * new -> ready or scheduled in queues that are spread over places. What must stay together goes to
 * the place of its group (else of its deduplicationId). The others of a call go to one place together,
 * those of the next call to the next; or one by one in turn, where each place has its share of a
 * limit. Where one is full, they go on to others.
 */
export async function publishSpread(
  places: Places,
  publish: Publish,
  items: readonly PublishItem[],
  options: PublishOptions,
): Promise<readonly PublishOutcome[]> {
  const found = new Map<QueueRef, readonly QueueRef[] | null>();
  for (const target of new Set(items.flatMap(({ targets }) => targets))) {
    found.set(target, await places.find(target));
  }
  const turns = new Map<number, number>();
  const aimed = items.map((item) => aim(places, turns, found, item));
  const outcomes: PublishOutcome[] = aimed.map((one, i) =>
    one === null ? missingOf(items[i]!, found) : PENDING,
  );
  if (options.atomic === true && aimed.includes(null)) {
    const refusal = outcomes[aimed.indexOf(null)]!;
    return items.map(() => refusal);
  }
  let open = aimed.flatMap((one, i) => (one === null ? [] : [{ one, i }]));
  while (open.length > 0) {
    const isFirst = outcomes.includes(PENDING);
    const answers = await publish(
      open.map(({ one }) => placed(one)),
      options,
    ).catch((error: unknown) => {
      throw isFirst ? error : failedInPart(error);
    });
    open.forEach(({ i }, at) => (outcomes[i] = answers[at]!));
    if (options.atomic === true) break;
    open = open.filter(({ one, i }) => turnFromFull(one, outcomes[i]!));
  }
  return outcomes;
}

/** Stands for an answer that is to come. */
const PENDING: PublishOutcome = { status: 'missing', queue: '' };

function missingOf(
  { targets }: PublishItem,
  found: ReadonlyMap<QueueRef, unknown>,
): PublishOutcome {
  return { status: 'missing', queue: targets.find((target) => found.get(target) === null)!.name };
}

/** @returns null when a target is not there (any more) */
function aim(
  places: Places,
  turns: Map<number, number>,
  found: ReadonlyMap<QueueRef, readonly QueueRef[] | null>,
  item: PublishItem,
): Aimed | null {
  const choices: (readonly QueueRef[])[] = [];
  for (const target of item.targets) {
    const offer = found.get(target);
    if (offer === null || offer === undefined) return null;
    choices.push(offer);
  }
  const chosen = choices.map((choice, i) =>
    choose(places, turns, item.targets[i]!, choice.length, item.message),
  );
  const isFree = affinityOf(item.message) === null;
  const triesLeft = isFree ? Math.max(...choices.map(({ length }) => length)) - 1 : 0;
  return { item, choices, chosen, triesLeft };
}

function choose(
  places: Places,
  turns: Map<number, number>,
  queue: QueueRef,
  count: number,
  message: NewMessage,
): number {
  if (count === 1) return 0;
  const affinity = affinityOf(message);
  if (affinity !== null) return placeIndex(affinity, count);
  let turn = turns.get(queue.number);
  if (turn === undefined || hasShares(queue)) turn = places.turn(queue.number, count);
  turns.set(queue.number, turn);
  return turn;
}

/** Whether one place may be at its limit while others are not. (From a full one, we go on.) */
function hasShares({ overflow, maxInFlight, rateLimit }: QueueRef): boolean {
  return overflow === 'drop-oldest' || maxInFlight !== Infinity || rateLimit !== null;
}

function placed({ item, choices, chosen }: Aimed): PublishItem {
  return { message: item.message, targets: chosen.map((index, i) => choices[i]![index]!) };
}

/** @returns whether to try again elsewhere */
function turnFromFull(one: Aimed, outcome: PublishOutcome): boolean {
  if (outcome.status !== 'full' || one.triesLeft === 0) return false;
  one.triesLeft -= 1;
  for (const [i, choice] of one.choices.entries()) {
    if (choice[0]!.name === outcome.queue) one.chosen[i] = (one.chosen[i]! + 1) % choice.length;
  }
  return true;
}

export function concernsSpread(items: readonly PublishItem[]): boolean {
  return items.some(({ targets }) => targets.some(isSpread));
}
