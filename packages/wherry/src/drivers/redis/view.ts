import type { StoredMessage } from '../../core/driver.ts';
import { type MessageReader, readLease, TIMESTAMP_LENGTH } from './record.ts';

/** What lua/view.lua says of a message. */
export type View = readonly [
  sequence: number,
  state: Buffer,
  record: Buffer,
  lease: Buffer,
  leaseEndsAt: number,
];

export function readView(reader: MessageReader, view: View, isScheduled: boolean): StoredMessage {
  const [sequence, state, record, held, until] = view;
  const found = {
    sequence,
    timestamp: record.readUIntBE(0, TIMESTAMP_LENGTH),
    state: state.length === 1 ? state[0]! : state,
    record,
    restAt: TIMESTAMP_LENGTH,
  };
  return reader.read(found, { ...readLease(held, until), isScheduled });
}
