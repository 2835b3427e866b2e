/** What lua/record.lua says of records, states and leases, for both ways. */
import type { MessageProperties, PayloadEncoding } from '../../core/driver.ts';

/** Flags of a record. The lower three bits are an index into `KINDS`. */
export const HAS_ID = 8;
export const HAS_PUBLISH_ID = 16;
export const HAS_DEATHS = 32;
export const HAS_EXTRAS = 64;
export const HAS_TIMES = 128;
export const KIND_MASK = 7;

/** How the characters of a body are bytes: one each, UTF-8, or two each for what UTF-8 cannot hold. */
export type Characters = 'latin1' | 'utf8' | 'utf16le' | null;

export const KINDS: readonly (readonly [PayloadEncoding, Characters])[] = [
  ['json', 'latin1'],
  ['json', 'utf8'],
  ['json', 'utf16le'],
  ['text', 'latin1'],
  ['text', 'utf8'],
  ['text', 'utf16le'],
  ['bytes', null],
  ['amqp', null],
];

/** What only some messages have, in JSON: short names, for they are stored with each. */
export interface Extras {
  p?: MessageProperties;
  g?: string;
  u?: string;
}

/** Flag of a lease: the sweeper holds the message for its TTL. */
export const LEASE_AFTER_TTL = 16;
