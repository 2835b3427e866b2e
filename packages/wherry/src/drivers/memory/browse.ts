import type { BrowsePage, BrowseRequest } from '../../core/driver.ts';
import type { MessageState } from '../../core/message.ts';
import { byDueTime, byPriority, bySequence } from './ready-order.ts';
import { type MessageRecord, toStoredMessage } from './record.ts';
import type { MemoryStore } from './store.ts';

const ORDER: Record<MessageState, (a: MessageRecord, b: MessageRecord) => boolean> = {
  ready: byPriority,
  scheduled: byDueTime,
  leased: bySequence,
};

/** What a cursor must know of the last message of a page to find the next, in any order. */
type Position = Pick<MessageRecord, 'priority' | 'availableAt' | 'sequence'>;

/** A page of one state, in the order in which the messages come up. */
export function browse(store: MemoryStore, request: BrowseRequest): BrowsePage {
  const { state, cursor, limit } = request;
  const isBefore = ORDER[state];
  const after = cursor === undefined ? null : (parseCursor(cursor) as MessageRecord);
  const rest: MessageRecord[] = [];
  for (const record of store.queue(request.queue).stored()) {
    if (record.state !== state) continue;
    if (after === null || isBefore(after, record)) rest.push(record);
  }
  rest.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  const page = rest.slice(0, limit);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  return {
    messages: page.map(toStoredMessage),
    cursor: last === undefined ? null : formatCursor(last),
  };
}

function formatCursor({ priority, availableAt, sequence }: Position): string {
  return [priority, availableAt, sequence].join(' ');
}

/** `Number` reads 'Infinity' too: a message that never comes up by itself has a place in order. */
function parseCursor(cursor: string): Position {
  const [priority, availableAt, sequence] = cursor.split(' ').map(Number);
  return { priority: priority!, availableAt: availableAt!, sequence: sequence! };
}
