import { MessageQueueError, StorageError } from '../../core/errors.ts';

/** What the server's, or the client library's, refusal of a command means for us. */
export interface Failure {
  readonly code: string;
  /** Whether the same call may succeed later. */
  readonly retriable: boolean;
  /** The command was certainly not carried out, and what stood in its way may pass by itself. */
  readonly passing: boolean;
  /** The connection broke after the command was sent: it may have been carried out. */
  readonly unknown: boolean;
  readonly meaning: string;
}

interface Reply {
  readonly code: string;
  readonly retriable?: boolean;
  readonly passing?: boolean;
  readonly meaning: string;
}

/** By the first word of the server's error. Redis refuses before a command, or script, writes. */
const REPLIES: Readonly<Record<string, Reply>> = {
  OOM: {
    code: 'STORAGE_FULL',
    retriable: true,
    meaning:
      'The Redis server has reached its maxmemory. Nothing was stored. ' +
      'Consume what waits, or raise maxmemory; the store goes on by itself.',
  },
  READONLY: {
    code: 'STORAGE_READONLY',
    retriable: true,
    passing: true,
    meaning:
      'The Redis server is a read-only replica. Nothing was changed. After a failover this passes; ' +
      'otherwise name the primary, or use redis-sentinel://… or redis-cluster://….',
  },
  MISCONF: {
    code: 'STORAGE_FAILED',
    retriable: true,
    meaning:
      'The Redis server cannot write to its disk and refuses changes. Nothing was changed. ' +
      'Look at its log, make room or mend the disk; the store goes on by itself.',
  },
  NOREPLICAS: {
    code: 'STORAGE_REPLICAS',
    retriable: true,
    passing: true,
    meaning:
      'The Redis server has fewer replicas than its min-replicas-to-write. Nothing was changed. ' +
      'Bring them back, or lower that setting.',
  },
  NOAUTH: {
    code: 'STORAGE_AUTH',
    meaning: 'The Redis server asks for a user name or password. Put them into the URL.',
  },
  WRONGPASS: {
    code: 'STORAGE_AUTH',
    meaning: 'The Redis server does not accept the user name or password. Correct them in the URL.',
  },
  NOPERM: {
    code: 'STORAGE_AUTH',
    meaning:
      'The Redis user may not do this. It needs the keys ~PREFIX:*, the channels &PREFIX:* and the ' +
      'commands that docs/redis.md lists.',
  },
  CLUSTERDOWN: {
    code: 'STORAGE_UNAVAILABLE',
    retriable: true,
    passing: true,
    meaning:
      'The Redis Cluster does not serve a part of its slots. Nothing was changed. ' +
      'Bring its nodes back; the store goes on by itself.',
  },
  LOADING: {
    code: 'STORAGE_UNAVAILABLE',
    retriable: true,
    passing: true,
    meaning: 'The Redis server is loading its data. Nothing was changed. Call again later.',
  },
  MASTERDOWN: {
    code: 'STORAGE_UNAVAILABLE',
    retriable: true,
    passing: true,
    meaning: 'The Redis primary is away. Nothing was changed. Call again later.',
  },
  TRYAGAIN: {
    code: 'STORAGE_UNAVAILABLE',
    retriable: true,
    passing: true,
    meaning: 'The Redis Cluster moves the slot at this moment. Nothing was changed. Call again.',
  },
  BUSY: {
    code: 'STORAGE_UNAVAILABLE',
    retriable: true,
    passing: true,
    meaning: "The Redis server is busy with somebody's script. Nothing was changed. Call again.",
  },
  MOVED: {
    code: 'STORAGE_OPEN',
    meaning: 'The Redis server is part of a cluster. Name it as redis-cluster://….',
  },
};

const NAMED = new RegExp(`(?:^|[\\s-])(${Object.keys(REPLIES).join('|')})\\s`);

const UNTRUSTED: Reply = {
  code: 'STORAGE_AUTH',
  meaning:
    "The Redis server's certificate is not trusted. Name the authority that signed it with ?ca=FILE " +
    'in the URL, or in NODE_EXTRA_CA_CERTS.',
};

/** From TLS, before anything was sent. */
const CERTIFICATE = /certificate|CERT_|ERR_TLS/i;

const DAMAGED: Reply = {
  code: 'STORAGE_DAMAGED',
  meaning:
    "A queue's stream is ahead of the queue's numbers: their key was evicted or deleted. " +
    "Mend it with 'wherry doctor --repair', and set maxmemory-policy noeviction.",
};

/** Of a sequence that has begun anew. */
const BEHIND_STREAM = /ID specified in XADD is equal or smaller/;

/** As scripts are told of it by Redis 7. */
const SCRIPT_NOPERM = /The user executing the script can't/;

/** What ioredis and the socket say when a command was written and its answer did not come. */
const LOST =
  /Connection is closed|max retries per request|Command timed out|aborted due to connection close|Socket timeout|Too many Cluster redirections|Cluster is ended|ECONNRESET|EPIPE|ETIMEDOUT/;

/** What they say when a command could not be sent at all. */
const UNSENT =
  /Stream isn't writeable|connect ETIMEDOUT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|Failed to refresh slots cache|None of startup nodes|All sentinels are unreachable|Node is disconnected/;

const AWAY =
  'The Redis server does not answer. Check that it runs and can be reached, and with rediss ' +
  'that it speaks TLS and its certificate is trusted; the store goes on by itself when it is back.';

/** @param error what a command was rejected with */
export function failureOf(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  const words = typeof code === 'string' ? `${code} ${text}` : text;
  const isBehind = BEHIND_STREAM.test(text);
  const reply = isBehind
    ? DAMAGED
    : (replyOf(text) ?? (CERTIFICATE.test(words) ? UNTRUSTED : undefined));
  if (reply !== undefined) {
    return { retriable: false, passing: false, unknown: false, ...reply };
  }
  if (UNSENT.test(words)) {
    const meaning = `${AWAY} Nothing was changed.`;
    return { code: 'STORAGE_UNAVAILABLE', retriable: true, passing: true, unknown: false, meaning };
  }
  if (LOST.test(words)) {
    const meaning =
      'The connection to the Redis server broke before its answer came: whether the call was ' +
      'carried out is not known. Call again; a deduplicationId makes sure that a send counts once.';
    return { code: 'STORAGE_CONNECTION', retriable: true, passing: false, unknown: true, meaning };
  }
  const meaning = 'The Redis server refused the call.';
  return { code: 'STORAGE', retriable: false, passing: false, unknown: false, meaning };
}

function replyOf(text: string): Reply | undefined {
  return REPLIES[SCRIPT_NOPERM.test(text) ? 'NOPERM' : (NAMED.exec(`${text} `)?.[1] ?? '')];
}

/** The error that callers get: ours as it is, any other with its meaning and the original as cause. */
export function storageError(error: unknown): MessageQueueError {
  if (error instanceof MessageQueueError) return error;
  const { code, retriable, meaning } = failureOf(error);
  const told = error instanceof Error ? error.message : String(error);
  return new StorageError(`${meaning} (${told})`, { code, retriable, cause: error });
}

/**
 * Of a call that went out in several parts, one failed when others were carried out: nobody may be
 * told that nothing was stored.
 */
export function failedInPart(error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  return new StorageError(
    'Of what was sent together, a part was stored before another part failed, and which is not ' +
      `known (${error.message}) Send again; a deduplicationId makes sure that a send counts once.`,
    { code: 'STORAGE_CONNECTION', retriable: true, cause: error },
  );
}
