import { MessageQueueError, StorageError } from '../../core/errors.ts';

/** What to tell of an error of PostgreSQL: a stable code, what happened, and the remedy. */
interface Kind {
  readonly code: string;
  readonly retriable?: boolean;
  readonly text: string;
}

const LOST: Kind = {
  code: 'STORAGE_CONNECTION',
  retriable: true,
  text:
    'The connection to PostgreSQL was lost, so whether the call took effect is not known. ' +
    'Wherry connects again by itself; try again, with a deduplicationId where a second copy would hurt.',
};

const UNREACHABLE: Kind = {
  code: 'STORAGE_UNAVAILABLE',
  retriable: true,
  text: 'PostgreSQL cannot be reached. Check that it runs, and the host, port and TLS settings of the URL.',
};

const BUSY: Kind = {
  code: 'STORAGE_BUSY',
  retriable: true,
  text:
    'No connection to PostgreSQL became free in time. Raise poolSize, or max_connections of the server, ' +
    'or look for what keeps connections busy.',
};

const TIMEOUT: Kind = {
  code: 'STORAGE_TIMEOUT',
  retriable: true,
  text:
    'A statement took too long and was given up. Look with `wherry doctor` for transactions that hold ' +
    'locks, or raise callTimeout.',
};

const CONFLICT: Kind = {
  code: 'STORAGE_CONFLICT',
  retriable: true,
  text:
    'The statement stood against another transaction (a deadlock or a serialisation failure) and was ' +
    'rolled back. Begin the transaction anew.',
};

const ACCESS: Kind = {
  code: 'STORAGE_AUTH',
  text: "PostgreSQL refused the user. Check the URL's user and password, and grant it the schema's tables and functions.",
};

const FULL: Kind = {
  code: 'STORAGE_FULL',
  retriable: true,
  text: 'PostgreSQL has no room left on its disk. Nothing was stored; make room and try again.',
};

const READ_ONLY: Kind = {
  code: 'STORAGE_READONLY',
  retriable: true,
  text: 'This PostgreSQL server is read-only: a standby, or set so. Give the URL of the primary.',
};

const MIGRATION: Kind = {
  code: 'STORAGE_MIGRATION',
  text: "The schema's tables or functions are not there. Run `wherry migrate-store URL`, or open with migrate: true.",
};

const DAMAGED: Kind = {
  code: 'STORAGE_DAMAGED',
  text: "PostgreSQL found damaged data. Stop, and restore the database from a backup or with PostgreSQL's own tools.",
};

const UNTRUSTED: Kind = {
  code: 'STORAGE_AUTH',
  text: "The server's certificate is not trusted, or it speaks no TLS. Name the certificate of its authority with sslrootcert=FILE, or correct sslmode.",
};

const MISSING_DATABASE: Kind = {
  code: 'STORAGE_OPEN',
  text: 'The database does not exist. Create it with `createdb`, or correct the URL.',
};

const ABORTED: Kind = {
  code: 'TRANSACTION_ABORTED',
  text: 'An earlier statement of this transaction failed, so nothing more can be done in it. Roll it back.',
};

const REFUSED: Kind = {
  code: 'TRANSACTION_UNSUPPORTED',
  text: 'This cannot be done in a transaction such as this one. Use one that is READ COMMITTED, the default.',
};

const MEMORY: Kind = {
  code: 'STORAGE_BUSY',
  retriable: true,
  text: 'PostgreSQL had no memory left for the statement, or for its locks (max_locks_per_transaction).',
};

const UNKNOWN: Kind = { code: 'STORAGE', text: 'PostgreSQL refused a statement.' };

/** By SQLSTATE (appendix A of PostgreSQL's manual) or a prefix of it, and by Node's codes. */
const KINDS: readonly (readonly [string, Kind])[] = [
  ['0A000', REFUSED],
  ['25006', READ_ONLY],
  ['25P02', ABORTED],
  ['28', ACCESS],
  ['3D000', MISSING_DATABASE],
  ['3F000', MIGRATION],
  ['40', CONFLICT],
  ['42501', ACCESS],
  ['42883', MIGRATION],
  ['42P01', MIGRATION],
  ['53100', FULL],
  ['53200', MEMORY],
  ['53300', BUSY],
  ['55P03', TIMEOUT],
  ['57014', TIMEOUT],
  ['57P03', UNREACHABLE],
  ['57P', LOST],
  ['08', LOST],
  ['XX001', DAMAGED],
  ['XX002', DAMAGED],
  ['ECONNREFUSED', UNREACHABLE],
  ['EHOSTUNREACH', UNREACHABLE],
  ['ENETUNREACH', UNREACHABLE],
  ['ENOENT', UNREACHABLE],
  ['ENOTFOUND', UNREACHABLE],
  ['EAI_AGAIN', UNREACHABLE],
  ['ETIMEDOUT', UNREACHABLE],
  ['ECONNRESET', LOST],
  ['EPIPE', LOST],
  ['ERR_TLS', UNTRUSTED],
];

/** What `pg` says without a code. */
const TEXTS: readonly (readonly [RegExp, Kind])[] = [
  [/timeout exceeded when trying to connect/, BUSY],
  [/connection timeout|timeout expired/i, UNREACHABLE],
  [/Connection terminated|connection error|not queryable|Client was closed|CONNECTION_/i, LOST],
  [/certificate|does not support SSL/i, UNTRUSTED],
  [/client password must be a string|no pg_hba/i, ACCESS],
];

/** A statement of ours had no answer for too long. */
export class NoAnswerError extends Error {
  /** @param ms how long, in milliseconds */
  constructor(ms: number) {
    super(`no answer for ${ms} ms`);
  }
}

/** Where libraries put the error that they wrap. */
const WRAPPED = ['cause', 'meta', 'driverAdapterError'] as const;

/** An SQLSTATE, but not a code of Prisma's, or a code of the system. */
const CODE_PATTERN = /^((?!P[1-9])[0-9A-Z]{5}|E[A-Z_]{3,})$/;

/** @returns the SQLSTATE or system code of an error, or of what it wraps; '' if there is none */
function codeOf(error: unknown, depth = 0): string {
  if (!isObject(error) || depth > 5) return '';
  for (const field of WRAPPED) {
    const inner = codeOf(error[field], depth + 1);
    if (inner !== '') return inner;
  }
  const { originalCode, code } = error;
  for (const found of [originalCode, code]) {
    if (typeof found === 'string' && CODE_PATTERN.test(found)) return found;
  }
  return '';
}

/** @returns whether a statement failed only because of who else was at work: it may be repeated */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error));
}

/** @returns whether the server is there, but takes no connections yet, or not any more */
export function isStarting(error: unknown): boolean {
  return codeOf(error) === '57P03';
}

/** @returns whether what was not to be had when connecting may be there soon */
export function mayPass(error: unknown): boolean {
  return [UNREACHABLE, LOST, BUSY].includes(kindOf(error));
}

/** @returns whether the connection is of no more use. A statement that was refused leaves it as it was. */
export function isBroken(error: unknown): boolean {
  if (error instanceof MessageQueueError) return false;
  return !/^(?!08|57P|E)[0-9A-Z]{5}$/.test(codeOf(error));
}

/** An error that came before a statement was sent, as ours. */
export function connectError(error: unknown): MessageQueueError {
  return kindOf(error) === LOST ? translate(error, UNREACHABLE) : storageError(error);
}

/** Of a call in several statements, when one before had taken effect: what there is now, nobody knows. */
export function outcomeUnknown(error: unknown): StorageError {
  return translate(error, LOST);
}

/** An error of `pg`, or of the caller's client library, as ours. */
export function storageError(error: unknown): MessageQueueError {
  if (error instanceof MessageQueueError) return error;
  return translate(error, kindOf(error));
}

function translate(error: unknown, { code, text, retriable = false }: Kind): StorageError {
  const reason = error instanceof Error && error.message !== '' ? error.message : codeOf(error);
  return new StorageError(`${text} (${reason || String(error)})`, {
    code,
    retriable,
    cause: error,
  });
}

function kindOf(error: unknown): Kind {
  if (error instanceof NoAnswerError) return LOST;
  // Where a name has several addresses, none of which answers.
  if (error instanceof AggregateError && error.errors.length > 0) return kindOf(error.errors[0]);
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : '';
  return (
    KINDS.find(([prefix]) => code.startsWith(prefix))?.[1] ??
    TEXTS.find(([pattern]) => pattern.test(message))?.[1] ??
    UNKNOWN
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
