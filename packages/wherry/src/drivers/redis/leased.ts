/** What takes and sweeps answer: messages that were just leased, as lua/lease.lua lists them. */
import type { LeasedMessage } from '../../core/driver.ts';
import type { Lease } from '../../core/message.ts';
import { type Found, type MessageReader, TIMESTAMP_LENGTH } from './record.ts';

/**
 * Of a message with a state its sequence, state and record; of an untouched one its entry's id and
 * the record without the timestamp; before those that do not have priority 0, -1 - priority.
 */
export type Leased = readonly (number | Buffer)[];

const DASH = 0x2d;
const DIGIT_0 = 0x30;

/**
 * @param first the first one's lease; the next ones' tokens follow
 * @param isDelivery of the message with this index
 */
export function readLeased(
  reader: MessageReader,
  leased: Leased,
  { consumerId, token, until }: Lease,
  isDelivery: (index: number) => boolean,
): LeasedMessage[] {
  const messages: LeasedMessage[] = [];
  let priority = 0;
  for (let at = 0; at < leased.length;) {
    const item = leased[at]!;
    if (typeof item === 'number' && item < 0) {
      priority = -1 - item;
      at += 1;
      continue;
    }
    const index = messages.length;
    const content =
      typeof item === 'number'
        ? stated(item, leased[at + 1] as Buffer, leased[at + 2] as Buffer)
        : untouched(item, priority, leased[at + 1] as Buffer);
    at += typeof item === 'number' ? 3 : 2;
    const message = reader.read(content, {
      lease: { consumerId, token: token + index, until },
      isDelivery: isDelivery(index),
      isScheduled: false,
    });
    messages.push(message as LeasedMessage);
  }
  return messages;
}

function stated(sequence: number, state: Buffer, record: Buffer): Found {
  const timestamp = record.readUIntBE(0, TIMESTAMP_LENGTH);
  return { sequence, timestamp, state, record, restAt: TIMESTAMP_LENGTH };
}

/** @param id <sequence>-<timestamp> */
function untouched(id: Buffer, priority: number, record: Buffer): Found {
  const dash = id.indexOf(DASH);
  const sequence = readDigits(id, 0, dash);
  const timestamp = readDigits(id, dash + 1, id.length);
  return { sequence, timestamp, state: priority, record, restAt: 0 };
}

function readDigits(bytes: Buffer, start: number, end: number): number {
  let number = 0;
  for (let at = start; at < end; at++) number = number * 10 + bytes[at]! - DIGIT_0;
  return number;
}
