import type { Receipt } from '../../core/driver.ts';
import { messageIdMaker, sequenceIn } from '../../core/message-id.ts';
import { sqlArray, sqlList } from './arrays.ts';
import { outcomeUnknown } from './errors.ts';

/** So many messages share the number of a lease. */
const LEASE_SIZE = 1_024;

/** @param place of the message in its lease, from 1 on */
export function tokenOf(leaseNumber: number, place: number): number {
  return leaseNumber * LEASE_SIZE + place - 1;
}

/**
 * @param leaseNumbers one for every LEASE_SIZE messages
 * @param index of the message among all
 */
export function tokenAt(leaseNumbers: readonly number[], index: number): number {
  return tokenOf(leaseNumbers[Math.floor(index / LEASE_SIZE)]!, (index % LEASE_SIZE) + 1);
}

export function leaseAndPlaceOf(token: number): { readonly lease: number; readonly place: number } {
  return { lease: Math.floor(token / LEASE_SIZE), place: (token % LEASE_SIZE) + 1 };
}

/** Receipts as the functions of the schema take them (sql/leases.sql). */
export interface PackedReceipts {
  /** Where the caller has the receipts, in the order in which the database gets them. */
  readonly order: readonly number[];
  /** By lease. */
  readonly queueNumbers: string;
  readonly slots: string;
  readonly leases: string;
  readonly counts: string;
  /** Of the first receipt of each lease, by lease. */
  readonly firsts: readonly number[];
  /** By receipt. */
  readonly places: string;
  readonly sequences: string;
  readonly ids: string | null;
}

/** What is asked of receipts. */
export interface Request {
  readonly receipts: readonly Receipt[];
  /** The store's, for its ids. */
  readonly salt: number;
  /** Tells receipts of one lease apart, by their indexes, that are not to be handled together. */
  readonly variantOf?: (index: number) => number;
  /** @returns those not found, as indexes into the packed ones, from 1 on */
  readonly call: (packed: PackedReceipts) => Promise<readonly number[]>;
}

/**
 * Has receipts handled by one call or, because a message may have come back under the id that it had
 * in the queue before, by two: what the first does not find, the second looks for by id.
 * @returns indexes of those that prove no present lease, in order (G4)
 * @throws StorageError; one that says so when the first call took effect and the second failed
 */
export async function eachProven(request: Request): Promise<readonly number[]> {
  const { receipts, salt } = request;
  const seen = new Set<number>();
  const lost: number[] = [];
  const asked: number[] = [];
  const again: number[] = [];
  for (const [index, { token }] of receipts.entries()) {
    // A token that was never given out.
    if (!Number.isSafeInteger(token) || token < LEASE_SIZE) lost.push(index);
    else if (seen.has(token)) again.push(index);
    else asked.push(index);
    seen.add(token);
  }
  const maybe: number[] = [];
  const ownSequence = sequenceReader(salt);
  for (const index of await ask(request, asked, false)) {
    (ownSequence(receipts[index]!) === null ? lost : maybe).push(index);
  }
  try {
    lost.push(...(await ask(request, maybe, true)), ...(await ask(request, again, true)));
  } catch (error) {
    const isDoneInPart = asked.length > maybe.length;
    throw isDoneInPart ? outcomeUnknown(error) : error;
  }
  return lost.toSorted((a, b) => a - b);
}

/** @returns those not found */
async function ask(
  request: Request,
  indexes: readonly number[],
  byId: boolean,
): Promise<readonly number[]> {
  if (indexes.length === 0) return [];
  const packed = packReceipts(request, indexes, byId);
  return (await request.call(packed)).map((index) => packed.order[index - 1]!);
}

interface Sorted {
  readonly index: number;
  readonly receipt: Receipt;
  readonly lease: number;
  readonly variant: number;
}

/** @param byId all are looked for by their ids, instead of what follows from most ids */
function packReceipts(
  { receipts, salt, variantOf }: Request,
  indexes: readonly number[],
  byId: boolean,
): PackedReceipts {
  const sorted = indexes.map((index): Sorted => {
    const receipt = receipts[index]!;
    const variant = variantOf?.(index) ?? 0;
    return { index, receipt, lease: leaseAndPlaceOf(receipt.token).lease, variant };
  });
  if (!isAboutToChange(sorted)) sorted.sort(byLease);
  const ownSequence = sequenceReader(salt);
  const leases: { readonly first: Sorted; count: number }[] = [];
  const places: number[] = [];
  const sequences: number[] = [];
  const ids: (string | null)[] = [];
  for (const one of sorted) {
    const last = leases.at(-1);
    if (last !== undefined && isOfOneLease(last.first, one)) last.count += 1;
    else leases.push({ first: one, count: 1 });
    const sequence = byId ? null : ownSequence(one.receipt);
    places.push(leaseAndPlaceOf(one.receipt.token).place);
    sequences.push(sequence ?? 0);
    ids.push(sequence === null ? one.receipt.id : null);
  }
  return {
    order: sorted.map(({ index }) => index),
    queueNumbers: sqlList(leases.map(({ first }) => first.receipt.queue.number)),
    slots: sqlList(leases.map(({ first }) => first.receipt.queue.groupMaxInFlight)),
    leases: sqlList(leases.map(({ first }) => first.lease)),
    counts: sqlList(leases.map(({ count }) => count)),
    firsts: leases.map(({ first }) => first.index),
    places: sqlList(places),
    sequences: sqlList(sequences),
    ids: sqlArray(ids),
  };
}

function isOfOneLease(a: Sorted, b: Sorted): boolean {
  return (
    a.lease === b.lease &&
    a.variant === b.variant &&
    a.receipt.queue.number === b.receipt.queue.number
  );
}

function byLease(a: Sorted, b: Sorted): number {
  return (
    a.receipt.queue.number - b.receipt.queue.number ||
    a.lease - b.lease ||
    a.variant - b.variant ||
    a.index - b.index
  );
}

/**
 * Whether the number of slots of a queue's groups has just changed. Then what comes up in a group
 * depends on the order in which its members end, so that is kept.
 */
function isAboutToChange(sorted: readonly Sorted[]): boolean {
  const slots = new Map<number, number>();
  return sorted.some(({ receipt: { queue } }) => {
    const before = slots.get(queue.number) ?? queue.groupMaxInFlight;
    slots.set(queue.number, queue.groupMaxInFlight);
    return before !== queue.groupMaxInFlight;
  });
}

/** Where an id tells its queue (core/message-id.ts), and how long it is. */
const QUEUE_DIGITS = { start: 12, end: 20 };
const ID_LENGTH = 32;

/** @returns null when the message's sequence does not follow from its id: it was stored elsewhere first */
function sequenceReader(salt: number): ({ id, queue }: Receipt) => number | null {
  const digitsOf = new Map<number, string>();
  return ({ id, queue }) => {
    let digits = digitsOf.get(queue.number);
    if (digits === undefined) {
      digits = messageIdMaker(queue.number, salt)(0, 0).slice(QUEUE_DIGITS.start, QUEUE_DIGITS.end);
      digitsOf.set(queue.number, digits);
    }
    if (id.length !== ID_LENGTH || !id.startsWith(digits, QUEUE_DIGITS.start)) return null;
    const sequence = sequenceIn(id);
    return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : null;
  };
}
