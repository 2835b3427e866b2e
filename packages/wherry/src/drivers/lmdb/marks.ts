/**
 * A mark says, on disk, that a batch of messages was handed out: should the process die, the
 * messages are not simply ready again, as if no handler had seen them (G6). It is one small entry
 * per batch, in which neighbours share a run:
 *
 *     checksum u32, queue u32, bound u8, consumerId (u16, UTF-8), then for each run
 *     space u8, priority u8, deliveryCount u32, sequence u48, count u32, token f64, until f64,
 *     due u48, groupId (u16, UTF-8)
 *
 * A run's tokens go up by one as its sequences do. An entry is stale when the message is not at
 * that place any more, or has the delivery in its record already.
 */
import { crc32 } from 'node:zlib';
import type { Space } from './item.ts';
import { get32, get48, put32, put48 } from './keys.ts';
import type { Lease } from './leases.ts';
import type { QueueState } from './queue-state.ts';

/** A batch that was handed out. */
export interface Mark {
  readonly number: number;
  readonly queue: QueueState;
  readonly consumerId: string;
  /** Its holder lives and dies with this instance of the driver. */
  readonly bound: boolean;
  leases: Lease[];
  /** How many of the leases have not ended. */
  active: number;
  /** The store may have it. */
  isStored: boolean;
}

/** One message of a stored mark. */
export interface MarkEntry {
  readonly space: Space;
  readonly priority: number;
  /** The present delivery included. */
  readonly deliveryCount: number;
  readonly sequence: number;
  readonly token: number;
  /** 0: it has ended, and nobody has decided yet. */
  readonly until: number;
  readonly due: number;
  readonly groupId: string | null;
}

export interface StoredMark {
  readonly queue: number;
  readonly bound: boolean;
  readonly consumerId: string;
  readonly entries: readonly MarkEntry[];
}

const RUN_LENGTH = 40;

/** What the sweeper took over has ended for its consumer: after a crash it is swept again. */
function storedEnd(lease: Lease): number {
  return lease.cause === null ? lease.until : 0;
}

function isNext(run: Lease, length: number, lease: Lease): boolean {
  return (
    lease.sequence === run.sequence + length &&
    lease.token === run.token + length &&
    lease.space === run.space &&
    lease.priority === run.priority &&
    lease.deliveryCount === run.deliveryCount &&
    storedEnd(lease) === storedEnd(run) &&
    lease.due === run.due &&
    lease.groupId === run.groupId
  );
}

function runsOf(leases: readonly Lease[]): { readonly first: Lease; length: number }[] {
  const runs: { readonly first: Lease; length: number }[] = [];
  let run: { readonly first: Lease; length: number } | undefined;
  for (const lease of leases) {
    if (run !== undefined && isNext(run.first, run.length, lease)) {
      run.length += 1;
    } else {
      run = { first: lease, length: 1 };
      runs.push(run);
    }
  }
  return runs;
}

export function encodeMark(mark: Mark): Uint8Array {
  const runs = runsOf(mark.leases.filter((lease) => lease.isActive));
  const consumerId = Buffer.from(mark.consumerId);
  const groups = runs.map(({ first }) => Buffer.from(first.groupId ?? ''));
  const groupsLength = groups.reduce((sum, group) => sum + group.length + 2, 0);
  const bytes = Buffer.alloc(11 + consumerId.length + runs.length * RUN_LENGTH + groupsLength);
  put32(bytes, mark.queue.number, 4);
  bytes[8] = mark.bound ? 1 : 0;
  bytes.writeUInt16BE(consumerId.length, 9);
  bytes.set(consumerId, 11);
  let at = 11 + consumerId.length;
  for (const [index, { first, length }] of runs.entries()) {
    bytes[at] = first.space;
    bytes[at + 1] = first.priority;
    put32(bytes, first.deliveryCount + 1, at + 2);
    put48(bytes, first.sequence, at + 6);
    put32(bytes, length, at + 12);
    bytes.writeDoubleBE(first.token, at + 16);
    bytes.writeDoubleBE(storedEnd(first), at + 24);
    put48(bytes, first.due, at + 32);
    const group = groups[index]!;
    bytes.writeUInt16BE(first.groupId === null ? 0 : group.length + 1, at + 38);
    bytes.set(group, at + 40);
    at += RUN_LENGTH + group.length;
  }
  const written = bytes.subarray(0, at);
  put32(written, crc32(written.subarray(4)), 0);
  return written;
}

/** @returns undefined when the bytes are damaged */
export function decodeMark(value: Uint8Array): StoredMark | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (bytes.length < 11 || get32(bytes, 0) !== crc32(bytes.subarray(4))) return undefined;
  let at = 11 + bytes.readUInt16BE(9);
  const consumerId = bytes.toString('utf8', 11, at);
  const entries: MarkEntry[] = [];
  while (at < bytes.length) {
    const groupLength = bytes.readUInt16BE(at + 38) - 1;
    const groupEnd = at + RUN_LENGTH + Math.max(0, groupLength);
    const run: MarkEntry = {
      space: bytes[at] as Space,
      priority: bytes[at + 1]!,
      deliveryCount: get32(bytes, at + 2),
      sequence: get48(bytes, at + 6),
      token: bytes.readDoubleBE(at + 16),
      until: bytes.readDoubleBE(at + 24),
      due: get48(bytes, at + 32),
      groupId: groupLength < 0 ? null : bytes.toString('utf8', at + RUN_LENGTH, groupEnd),
    };
    const count = get32(bytes, at + 12);
    for (let offset = 0; offset < count; offset++) {
      entries.push({ ...run, sequence: run.sequence + offset, token: run.token + offset });
    }
    at = groupEnd;
  }
  return { queue: get32(bytes, 4), bound: bytes[8] === 1, consumerId, entries };
}
