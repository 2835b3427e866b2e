import { StorageError } from '../core/errors.ts';
import { codeOf } from './errors.ts';

/** What the command's exit code tells a script. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  unavailable: 4,
  partial: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For the help and the documentation, in one place. */
export const EXIT_CODE_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, 'everything asked for was done'],
  [EXIT.failed, 'the operation failed, or doctor found problems'],
  [EXIT.usage, 'wrong usage, or a value outside what is allowed'],
  [EXIT.notFound, 'the store, queue, exchange, binding, schedule or message does not exist'],
  [EXIT.unavailable, 'the store is in use by another process, or cannot be opened or written'],
  [EXIT.partial, 'partly failed: some messages were refused, rejected or skipped'],
  [EXIT.interrupted, 'interrupted by a signal, after stopping in good order'],
];

const EXIT_BY_ERROR_CODE: Readonly<Record<string, ExitCode>> = {
  USAGE: EXIT.usage,
  CONFIG: EXIT.usage,
  VALIDATION: EXIT.usage,
  SERIALIZATION: EXIT.usage,
  UNSUPPORTED: EXIT.usage,
  STORE_NOT_FOUND: EXIT.notFound,
  QUEUE_NOT_FOUND: EXIT.notFound,
  EXCHANGE_NOT_FOUND: EXIT.notFound,
  BINDING_NOT_FOUND: EXIT.notFound,
  SCHEDULE_NOT_FOUND: EXIT.notFound,
  MESSAGE_NOT_FOUND: EXIT.notFound,
  INTERRUPTED: EXIT.interrupted,
};

/** @returns the exit code for a failure that ended a command */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof StorageError) return EXIT.unavailable;
  return EXIT_BY_ERROR_CODE[codeOf(error)] ?? EXIT.failed;
}
