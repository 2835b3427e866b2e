import { byPlace, type Place, type Scheduled } from './places.ts';

export interface BatchChoice<Taken extends Place> {
  /** Of those taken: what goes now. */
  readonly keep: readonly Taken[];
  /** Of those taken: what must wait, since others come before it. */
  readonly putBack: readonly Taken[];
  /** Of those that wait for their time: what goes too. */
  readonly scheduled: readonly Scheduled[];
}

interface Limits {
  /** Most messages that were asked for, and that go. */
  readonly max: number;
  /** Most of one group that were asked for. */
  readonly perGroup: number;
}

/** A message and when its turn is: with its own place, or behind the one before it in its group. */
interface Turn<Of extends Place> {
  readonly message: Of;
  readonly at: Place;
}

/**
 * Puts together the next messages of a queue in their order, from those that are ready and those
 * that wait for their time: at the target each gets its place by when it comes.
 * @param taken as the source handed them out: after a group's head come its followers, before their
 *   turn; what it did not hand out comes after the last one that is no follower
 * @param scheduled those that wait, by place
 */
export function chooseBatch<Taken extends Place>(
  taken: readonly Taken[],
  scheduled: readonly Scheduled[],
  limits: Limits,
): BatchChoice<Taken> {
  const turns = turnsOf(taken);
  const end = endOfKnown(turns, limits);
  const candidates: Turn<Taken | Scheduled>[] = [
    ...turns,
    ...nextScheduled(scheduled, limits.max).map((message) => ({ message, at: message })),
  ].filter(({ at }) => end === null || byPlace(at, end) <= 0);
  // Sorting is stable: of a group whose turns coincide, the first stays the first.
  const sorted = candidates.toSorted((a, b) => byPlace(a.at, b.at)).slice(0, limits.max);
  const chosen = new Set(sorted.map(({ message }) => message));
  return {
    keep: taken.filter((message) => chosen.has(message)),
    putBack: taken.filter((message) => !chosen.has(message)),
    scheduled: sorted.flatMap(({ message }) => ('holdsGroup' in message ? [message] : [])),
  };
}

/** The first of them, but of a group that is held none behind the one that holds it. */
function nextScheduled(scheduled: readonly Scheduled[], max: number): Scheduled[] {
  const held = new Set<string>();
  return scheduled.slice(0, max).filter(({ groupId, holdsGroup }) => {
    if (groupId === null) return true;
    const goes = !held.has(groupId);
    if (holdsGroup) held.add(groupId);
    return goes;
  });
}

function turnsOf<Taken extends Place>(taken: readonly Taken[]): Turn<Taken>[] {
  const groups = new Map<string, Place>();
  return taken.map((message) => {
    const { groupId } = message;
    if (groupId === null) return { message, at: message };
    const before = groups.get(groupId);
    const at = before !== undefined && byPlace(before, message) > 0 ? before : message;
    groups.set(groupId, at);
    return { message, at };
  });
}

/**
 * The last turn up to which nothing is missing among the taken ones; null: they are all that is
 * ready. (A message whose holder died is handed out alone: what follows it may then come early.)
 */
function endOfKnown(turns: readonly Turn<Place>[], { max, perGroup }: Limits): Place | null {
  const ends: Place[] = [];
  const sizes = new Map<string, number>();
  let lastHead: Place | null = null;
  for (const { message, at } of turns) {
    const { groupId } = message;
    const size = groupId === null ? 1 : (sizes.get(groupId) ?? 0) + 1;
    if (groupId !== null) sizes.set(groupId, size);
    if (size === 1) lastHead = at;
    if (groupId !== null && size === perGroup) ends.push(at);
  }
  if (turns.length >= max && lastHead !== null) ends.push(lastHead);
  return ends.toSorted(byPlace)[0] ?? null;
}
