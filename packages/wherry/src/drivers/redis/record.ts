/** Stored messages, as lua/record.lua describes them. Numbers are big-endian. */
import type { StoredMessage } from '../../core/driver.ts';
import type { Death, Lease, MessageState, NewDeath } from '../../core/message.ts';
import { messageIdMaker } from '../../core/message-id.ts';
import { decodeDeaths } from './deaths.ts';
import {
  type Extras,
  HAS_DEATHS,
  HAS_EXTRAS,
  HAS_ID,
  HAS_PUBLISH_ID,
  HAS_TIMES,
  KIND_MASK,
  KINDS,
  LEASE_AFTER_TTL,
} from './layout.ts';

export const TIMESTAMP_LENGTH = 6;
const ID_LENGTH = 16;
const NO_DEATHS: readonly Death[] = Object.freeze([]);
const NO_EXTRAS: Extras = {};

/** A message as a script answers it. */
export interface Found {
  readonly sequence: number;
  readonly timestamp: number;
  /** The priority alone of one that nobody has touched. */
  readonly state: Buffer | number;
  readonly record: Buffer;
  /** Where the record goes on behind its timestamp. */
  readonly restAt: number;
}

/** What becomes of it at present. */
export interface Situation {
  readonly lease: Lease | null;
  /** Whether the present lease delivers it: not when the sweeper holds it for its TTL. */
  readonly isDelivery: boolean;
  readonly isScheduled: boolean;
}

/** What a state says. */
interface State {
  readonly priority: number;
  readonly availableAt: number;
  readonly expiresAt: number;
  readonly retryCount: number;
  readonly deliveryCount: number;
  readonly parked: NewDeath | null;
}

/** Makes messages of one queue from what scripts answer. */
export class MessageReader {
  readonly #queueName: string;
  readonly #makeId: (timestamp: number, sequence: number) => string;

  /** @param salt the store's, for ids */
  constructor(queueName: string, queueNumber: number, salt: number) {
    this.#queueName = queueName;
    this.#makeId = messageIdMaker(queueNumber, salt);
  }

  read(found: Found, situation: Situation): StoredMessage {
    const { sequence, timestamp, record, restAt } = found;
    const flags = record[restAt + 4]!;
    let at = restAt + 5;
    let availableAt = timestamp;
    let expiresAt = 0;
    if ((flags & HAS_TIMES) !== 0) {
      availableAt = record.readUIntBE(at, 6);
      expiresAt = record.readUIntBE(at + 6, 6);
      at += 12;
    }
    const hasId = (flags & HAS_ID) !== 0;
    const id = hasId
      ? record.toString('hex', at, (at += ID_LENGTH))
      : this.#makeId(timestamp, sequence);
    const isCopy = (flags & HAS_PUBLISH_ID) !== 0;
    const publishId = isCopy ? record.toString('hex', at, (at += ID_LENGTH)) : id;
    let deaths = NO_DEATHS;
    if ((flags & HAS_DEATHS) !== 0) {
      const start = at + 4;
      at = start + record.readUInt32BE(at);
      deaths = decodeDeaths(record, start, at);
    }
    let extras = NO_EXTRAS;
    if ((flags & HAS_EXTRAS) !== 0) {
      const start = at + 4;
      at = start + record.readUInt32BE(at);
      extras = JSON.parse(record.toString('utf8', start, at)) as Extras;
    }
    const [encoding, characters] = KINDS[flags & KIND_MASK]!;
    const body =
      characters === null
        ? Uint8Array.prototype.slice.call(record, at)
        : record.toString(characters, at);
    const state = readState(found.state, availableAt, expiresAt);
    return {
      id,
      publishId,
      queueName: this.#queueName,
      sequence,
      encoding,
      body,
      bytes: record.readUInt32BE(restAt),
      properties: extras.p ?? null,
      priority: state.priority,
      groupId: extras.g ?? null,
      deduplicationId: extras.u ?? null,
      timestamp,
      availableAt: state.availableAt,
      expiresAt: state.expiresAt === 0 ? null : state.expiresAt,
      retryCount: state.retryCount,
      deliveryCount: state.deliveryCount + (situation.isDelivery ? 1 : 0),
      deaths,
      parked: state.parked,
      state: stateOf(situation),
      lease: situation.lease,
    };
  }
}

function stateOf({ lease, isScheduled }: Situation): MessageState {
  if (lease !== null) return 'leased';
  return isScheduled ? 'scheduled' : 'ready';
}

/** @param availableAt the record's, for those that have no state of their own */
function readState(state: Buffer | number, availableAt: number, expiresAt: number): State {
  if (typeof state === 'number') {
    const priority = state;
    return { priority, availableAt, expiresAt, retryCount: 0, deliveryCount: 0, parked: null };
  }
  const groupLength = state[26]!;
  const keepLength = state[27 + groupLength]!;
  const parked = state.toString('utf8', 28 + groupLength + keepLength);
  return {
    priority: state[0]!,
    availableAt: state.readUIntBE(5, 6),
    expiresAt: state.readUIntBE(11, 6),
    retryCount: state.readUInt32BE(17),
    deliveryCount: state.readUInt32BE(21),
    parked: parked === '' ? null : (JSON.parse(parked) as NewDeath),
  };
}

/** A stored lease, and whether it delivers the message. @param until when it ends */
export function readLease(
  held: Buffer,
  until: number,
): { readonly lease: Lease | null; readonly isDelivery: boolean } {
  if (held.length === 0) return { lease: null, isDelivery: false };
  const token = held.readUIntBE(0, 3) * 2 ** 32 + held.readUInt32BE(3);
  const consumerId = held.toString('utf8', 20);
  return {
    lease: { consumerId, token, until },
    isDelivery: (held[7]! & LEASE_AFTER_TTL) === 0,
  };
}
