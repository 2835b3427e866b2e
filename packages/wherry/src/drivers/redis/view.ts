import type { StoredMessage } from '../../core/driver.ts';
import { type MessageReader, readLease } from './record.ts';

/** What lua/view.lua says of a message. */
export type View = readonly [
  sequence: number,
  stateLength: number,
  /** State and record. */
  bytes: Buffer,
  lease: Buffer,
  leaseEndsAt: number,
];

export function readView(reader: MessageReader, view: View, isScheduled: boolean): StoredMessage {
  const [sequence, stateLength, bytes, held, until] = view;
  return reader.read({
    sequence,
    untouchedPriority: stateLength === 1 ? bytes[0]! : null,
    bytes,
    stateAt: 0,
    recordAt: stateLength,
    end: bytes.length,
    ...readLease(held, until),
    isScheduled,
  });
}
