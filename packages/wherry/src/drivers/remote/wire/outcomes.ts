import type {
  Evicted,
  MoveOutcome,
  PublishOutcome,
  QueueCounts,
  TopologyChange,
  TopologyEntry,
} from '../../../core/driver.ts';
import { type Reader, WireError, type Writer } from './bytes.ts';
import { type Codec, isObject, json, listOf, oneOf, orNull, struct, text } from './codec.ts';

const ids: Codec<readonly string[]> = listOf(text);
const evicted: Codec<readonly Evicted[]> = listOf(
  struct<Evicted>({ id: text, queue: text, movedTo: orNull(text) }),
);
const limit: Codec<'maxSize' | 'maxBytes'> = oneOf(['maxSize', 'maxBytes']);

const STATUSES = ['stored', 'replaced', 'duplicate', 'full', 'missing', 'moved', 'lost'] as const;
const status: Codec<(typeof STATUSES)[number]> = oneOf(STATUSES);

const HAS_IDS = 1;
const HAS_EVICTED = 2;

type WithEvicted = { readonly evicted?: readonly Evicted[] };

function writeEvicted(out: Writer, outcome: WithEvicted): void {
  if (outcome.evicted !== undefined) evicted.write(out, outcome.evicted);
}

function readEvicted(from: Reader, bits: number): WithEvicted {
  return (bits & HAS_EVICTED) !== 0 ? { evicted: evicted.read(from) } : {};
}

export const publishOutcome: Codec<PublishOutcome> = {
  write: (out, outcome) => {
    status.write(out, outcome.status);
    if (outcome.status === 'full') {
      out.text(outcome.queue);
      limit.write(out, outcome.limit);
    } else if (outcome.status === 'missing') out.text(outcome.queue);
    else {
      out.u8(
        (outcome.ids === undefined ? 0 : HAS_IDS) |
          (outcome.evicted === undefined ? 0 : HAS_EVICTED),
      );
      out.text(outcome.id);
      if (outcome.ids !== undefined) ids.write(out, outcome.ids);
      writeEvicted(out, outcome);
    }
  },
  read: (from) => {
    const present = status.read(from);
    if (present === 'full') {
      return { status: present, queue: from.text(), limit: limit.read(from) };
    }
    if (present === 'missing') return { status: present, queue: from.text() };
    if (present === 'moved' || present === 'lost') throw new WireError('An outcome');
    const bits = from.u8();
    const id = from.text();
    const all = (bits & HAS_IDS) !== 0 ? { ids: ids.read(from) } : {};
    return { status: present, id, ...all, ...readEvicted(from, bits) };
  },
};

export const moveOutcome: Codec<MoveOutcome> = {
  write: (out, outcome) => {
    status.write(out, outcome.status);
    if (outcome.status === 'moved') {
      out.u8(outcome.evicted === undefined ? 0 : HAS_EVICTED);
      ids.write(out, outcome.ids);
      writeEvicted(out, outcome);
    } else if (outcome.status !== 'lost') out.text(outcome.queue);
  },
  read: (from) => {
    const present = status.read(from);
    if (present === 'lost') return { status: present };
    if (present === 'full' || present === 'missing') {
      return { status: present, queue: from.text() };
    }
    if (present !== 'moved') throw new WireError('An outcome');
    const bits = from.u8();
    return { status: present, ids: ids.read(from), ...readEvicted(from, bits) };
  },
};

export const counts: Codec<QueueCounts> = json(isObject);

export const topologyEntry: Codec<TopologyEntry> = json(isEntry);

export const topologyChange: Codec<TopologyChange> = json((value) => {
  if (!isObject(value)) return false;
  return value.type === 'put' ? isEntry(value.entry) : value.type === 'removed' && isNamed(value);
});

function isEntry(value: unknown): boolean {
  return isNamed(value) && typeof value.number === 'number' && typeof value.version === 'number';
}

function isNamed(value: unknown): value is Record<string, unknown> {
  return isObject(value) && typeof value.kind === 'string' && typeof value.name === 'string';
}
