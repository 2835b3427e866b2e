import type { LostIndexes, QueueRef, Receipt } from '../../../core/driver.ts';
import { parseMessageId } from '../../../core/message-id.ts';
import type { Places } from './places.ts';

interface Held<Item> {
  readonly item: Item;
  readonly index: number;
  /** Where the message may be, the likeliest first. */
  readonly candidates: readonly QueueRef[];
}

/**
 * Makes a call about leases in queues that are spread: at the place that the id names; what is not
 * there has come from elsewhere, and is looked for in the others.
 * @param withReceipt puts another receipt into an item
 * @param call answers which leases were not the present ones
 */
export async function forHeld<Item>(
  places: Places,
  salt: number,
  items: readonly Item[],
  receiptOf: (item: Item) => Receipt,
  withReceipt: (item: Item, receipt: Receipt) => Item,
  call: (items: readonly Item[]) => Promise<LostIndexes>,
): Promise<LostIndexes> {
  let open: Held<Item>[] = [];
  for (const [index, item] of items.entries()) {
    const { id, token, queue } = receiptOf(item);
    const candidates = await candidatesFor(places, salt, { id, token, queue });
    open.push({ item, index, candidates });
  }
  const lost: number[] = [];
  for (let attempt = 0; open.length > 0; attempt += 1) {
    const asked: Held<Item>[] = [];
    for (const one of open) {
      if (attempt < one.candidates.length) asked.push(one);
      else lost.push(one.index);
    }
    const words = asked.map(({ item, candidates }) => {
      const { id, token } = receiptOf(item);
      return withReceipt(item, { queue: candidates[attempt]!, id, token });
    });
    const answer = asked.length === 0 ? [] : await call(words);
    open = answer.map((i) => asked[i]!);
  }
  return lost.toSorted((a, b) => a - b);
}

/** @returns none when the queue is gone */
export async function candidatesFor(
  places: Places,
  salt: number,
  { queue, id }: Receipt,
): Promise<readonly QueueRef[]> {
  const all = (await places.find(queue)) ?? [];
  const home = parseMessageId(id, salt)?.queueNumber;
  const at = all.findIndex(({ number }) => number === home);
  return at <= 0 ? all : [all[at]!, ...all.slice(0, at), ...all.slice(at + 1)];
}
