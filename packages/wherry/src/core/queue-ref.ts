/**
 * At most `max` messages in every `per` milliseconds, as a token bucket that holds `max` tokens and
 * fills evenly. A token is spent when a message is leased, also again.
 *
 * The bucket is kept in whole numbers, so that every store gives the same answers: it holds a level
 * of at most max × per; each millisecond adds `max` to it, each token takes `per` away.
 */
export interface RateLimit {
  readonly max: number;
  /** Milliseconds. */
  readonly per: number;
}

/** A queue as a driver sees it: an identity, and the numbers to enforce. */
export interface QueueRef {
  readonly name: string;
  /** The incarnation: unique in the store and never reused, so a queue re-made under a name differs. */
  readonly number: number;
  /** Most messages stored, in the states that `boundOn` says; `Infinity` for none. */
  readonly maxSize: number;
  /** Most bytes stored (payload, headers and properties), in those states; `Infinity` for none. */
  readonly maxBytes: number;
  /**
   * What counts towards `maxSize` and `maxBytes`. 'stored': messages in all states. 'waiting': those
   * that are ready or scheduled; one that comes back from a lease may then exceed the bound.
   */
  readonly boundOn: 'stored' | 'waiting';
  /** What `publish` does at the bound. (`block` is core's: it sees 'full' and waits.) */
  readonly overflow: 'reject' | 'drop-oldest';
  /** Where `drop-oldest` moves what it drops; `null`: it is gone. */
  readonly evictTo: QueueRef | null;
  /** Milliseconds a message lives here at most, from first availability on (a move into it included). */
  readonly messageTtl: number | null;
  /** 0 to 255: what arrives with a higher priority (sent, moved, or dropped to here) has this one. */
  readonly maxPriority: number;
  /** Milliseconds for which a deduplicationId is remembered; 0: never. */
  readonly deduplicationWindow: number;
  /** Most messages leased at once, by all; `Infinity` for none. `take` by ids does not heed it. */
  readonly maxInFlight: number;
  /** Most messages of one group that are held, or about to be, at once. 1: strictly in order. */
  readonly groupMaxInFlight: number;
  /** How fast messages are leased; null: as they come. `take` by ids does not heed it. */
  readonly rateLimit: RateLimit | null;
  /** The same for each group by itself. */
  readonly groupRateLimit: RateLimit | null;
  /** Over how many places of the store the queue is spread; 1: it is whole. */
  readonly partitions: number;
  /** `false`: held in memory only. */
  readonly durable: boolean;
}
