import type { QueueRef, RateLimit } from '../../../core/driver.ts';
import { type Reader, WireError, type Writer } from './bytes.ts';
import { amount, type Codec, flag, oneOf, orNull, repeated, struct, text, whole } from './codec.ts';

/** A queue evicts to one that evicts nowhere. */
const NESTING_MAX = 2;

const rateLimit: Codec<RateLimit | null> = orNull(struct<RateLimit>({ max: amount, per: amount }));

type Flat = Omit<QueueRef, 'evictTo'>;

const flat: Codec<Flat> = struct<Flat>({
  name: text,
  number: whole,
  maxSize: amount,
  maxBytes: amount,
  boundOn: oneOf(['stored', 'waiting']),
  overflow: oneOf(['reject', 'drop-oldest']),
  messageTtl: orNull(amount),
  maxPriority: whole,
  deduplicationWindow: amount,
  maxInFlight: amount,
  groupMaxInFlight: amount,
  rateLimit,
  groupRateLimit: rateLimit,
  partitions: whole,
  durable: flag,
});

function write(out: Writer, queue: QueueRef): void {
  flat.write(out, queue);
  out.flag(queue.evictTo !== null);
  if (queue.evictTo !== null) write(out, queue.evictTo);
}

function read(from: Reader, nesting = 0): QueueRef {
  if (nesting > NESTING_MAX) throw new WireError('The nesting of a queue');
  const queue = flat.read(from);
  return { ...queue, evictTo: from.flag() ? read(from, nesting + 1) : null };
}

/** A frame names few queues, mostly one. */
export const queueRef: Codec<QueueRef> = repeated({ write, read: (from) => read(from) });
