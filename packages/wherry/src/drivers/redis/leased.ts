/** What takes and sweeps answer: messages that were just leased, as lua/lease.lua packs them. */
import type { LeasedMessage } from '../../core/driver.ts';
import type { Lease } from '../../core/message.ts';
import type { MessageReader } from './record.ts';

/** The headers of all, then their states and records in parts. */
export type Leased = readonly [headers: Buffer, ...parts: Buffer[]];

const HEADER_LENGTH = 12;
/** In the place of a state's length: there is none, the priority follows. */
const UNTOUCHED = 0x8000;

/**
 * @param first the first one's lease; the next ones' tokens follow
 * @param isDelivery of the message with this index
 */
export function readLeased(
  reader: MessageReader,
  [headers, ...parts]: Leased,
  { consumerId, token, until }: Lease,
  isDelivery: (index: number) => boolean,
): LeasedMessage[] {
  const messages: LeasedMessage[] = [];
  let part = 0;
  let at = 0;
  for (let header = 0; header < headers.length; header += HEADER_LENGTH) {
    if (at === parts[part]!.length) {
      part += 1;
      at = 0;
    }
    const index = messages.length;
    const state = headers.readUInt16BE(header + 6);
    const stateAt = at;
    const recordAt = state < UNTOUCHED ? at + state : at;
    at = recordAt + headers.readUInt32BE(header + 8);
    const message = reader.read({
      sequence: headers.readUIntBE(header, 6),
      untouchedPriority: state < UNTOUCHED ? null : state - UNTOUCHED,
      bytes: parts[part]!,
      stateAt,
      recordAt,
      end: at,
      lease: { consumerId, token: token + index, until },
      isDelivery: isDelivery(index),
      isScheduled: false,
    });
    messages.push(message as LeasedMessage);
  }
  return messages;
}
