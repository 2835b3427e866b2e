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

const ID_LENGTH = 16;
const NO_DEATHS: readonly Death[] = Object.freeze([]);
const NO_EXTRAS: Extras = {};

/** What a script answers of one message. */
export interface Found {
  readonly sequence: number;
  /** The priority of a message that has no state, because nobody has touched it. */
  readonly untouchedPriority: number | null;
  /** State and record, one behind the other. */
  readonly bytes: Buffer;
  readonly stateAt: number;
  readonly recordAt: number;
  readonly end: number;
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

  read(found: Found): StoredMessage {
    const { bytes, sequence, recordAt, end, lease } = found;
    const timestamp = bytes.readUIntBE(recordAt, 6);
    const flags = bytes[recordAt + 10]!;
    let at = recordAt + 11;
    let availableAt = timestamp;
    let expiresAt = 0;
    if ((flags & HAS_TIMES) !== 0) {
      availableAt = bytes.readUIntBE(at, 6);
      expiresAt = bytes.readUIntBE(at + 6, 6);
      at += 12;
    }
    const hasId = (flags & HAS_ID) !== 0;
    const id = hasId
      ? bytes.toString('hex', at, (at += ID_LENGTH))
      : this.#makeId(timestamp, sequence);
    const isCopy = (flags & HAS_PUBLISH_ID) !== 0;
    const publishId = isCopy ? bytes.toString('hex', at, (at += ID_LENGTH)) : id;
    let deaths = NO_DEATHS;
    if ((flags & HAS_DEATHS) !== 0) {
      const start = at + 4;
      at = start + bytes.readUInt32BE(at);
      deaths = decodeDeaths(bytes, start, at);
    }
    let extras = NO_EXTRAS;
    if ((flags & HAS_EXTRAS) !== 0) {
      const start = at + 4;
      at = start + bytes.readUInt32BE(at);
      extras = JSON.parse(bytes.toString('utf8', start, at)) as Extras;
    }
    const [encoding, characters] = KINDS[flags & KIND_MASK]!;
    const body =
      characters === null
        ? Uint8Array.prototype.slice.call(bytes, at, end)
        : bytes.toString(characters, at, end);
    const state = readState(found, availableAt, expiresAt);
    return {
      id,
      publishId,
      queueName: this.#queueName,
      sequence,
      encoding,
      body,
      bytes: bytes.readUInt32BE(recordAt + 6),
      properties: extras.p ?? null,
      priority: state.priority,
      groupId: extras.g ?? null,
      deduplicationId: extras.u ?? null,
      timestamp,
      availableAt: state.availableAt,
      expiresAt: state.expiresAt === 0 ? null : state.expiresAt,
      retryCount: state.retryCount,
      deliveryCount: state.deliveryCount + (found.isDelivery ? 1 : 0),
      deaths,
      parked: state.parked,
      state: stateOf(found),
      lease,
    };
  }
}

function stateOf({ lease, isScheduled }: Found): MessageState {
  if (lease !== null) return 'leased';
  return isScheduled ? 'scheduled' : 'ready';
}

/** @param availableAt the record's, for those that have no state of their own */
function readState(
  { untouchedPriority, bytes, stateAt, recordAt }: Found,
  availableAt: number,
  expiresAt: number,
): State {
  if (untouchedPriority !== null) {
    return {
      priority: untouchedPriority,
      availableAt,
      expiresAt,
      retryCount: 0,
      deliveryCount: 0,
      parked: null,
    };
  }
  const groupLength = bytes[stateAt + 26]!;
  const keepLength = bytes[stateAt + 27 + groupLength]!;
  const parked = bytes.toString('utf8', stateAt + 28 + groupLength + keepLength, recordAt);
  return {
    priority: bytes[stateAt]!,
    availableAt: bytes.readUIntBE(stateAt + 5, 6),
    expiresAt: bytes.readUIntBE(stateAt + 11, 6),
    retryCount: bytes.readUInt32BE(stateAt + 17),
    deliveryCount: bytes.readUInt32BE(stateAt + 21),
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
