import { MessageQueueError, QueueFullError, QueueNotFoundError } from '../core/errors.ts';

/** The command line does not say what to do, or says two things at once. */
export class UsageError extends MessageQueueError {
  constructor(message: string) {
    super('USAGE', message);
  }
}

/** The folder is not a store, and the command at hand would have no use for an empty one. */
export class StoreNotFoundError extends MessageQueueError {
  constructor(path: string) {
    super(
      'STORE_NOT_FOUND',
      `There is no store at '${path}'. Name another one with --store or WHERRY_STORE, ` +
        'or make this one with: wherry queue create NAME',
    );
  }
}

/** Nothing is bound this way. */
export class BindingNotFoundError extends MessageQueueError {
  constructor(binding: string) {
    super(
      'BINDING_NOT_FOUND',
      `There is no binding ${binding}. List what there is with: wherry binding list`,
    );
  }
}

/** No queue is bound to the exchange under this routing key, so no queue holds the message. */
export class UnroutableError extends MessageQueueError {
  constructor(exchange: string, routingKey: string) {
    super(
      'UNROUTABLE',
      `Exchange '${exchange}' routes '${routingKey}' to no queue; the message was not stored. ` +
        `Bind a queue with: wherry binding create --exchange ${exchange} --queue NAME`,
    );
  }
}

/** A signal ended the command before it was through. */
export class InterruptedError extends MessageQueueError {
  constructor() {
    super('INTERRUPTED', 'Interrupted.');
  }
}

/** The reader of standard output went away: not a failure, there is nobody left to tell. */
export class OutputClosedError extends MessageQueueError {
  constructor() {
    super('OUTPUT_CLOSED', 'Standard output was closed by its reader.');
  }
}

/** What to type, where the library's own message says which method to call. */
const REMEDIES: Readonly<Record<string, (error: MessageQueueError) => string>> = {
  QUEUE_NOT_FOUND: (error) => `Create it with: wherry queue create ${nameIn(error)}`,
  QUEUE_EXISTS: (error) =>
    error.message.startsWith('Exchange')
      ? 'Give it another name, or delete the one that is there: wherry exchange delete NAME'
      : 'Change its settings with: wherry queue update NAME',
  QUEUE_NOT_EMPTY: () =>
    'Empty it with: wherry queue purge NAME, or delete it with its messages: --force',
  QUEUE_FULL: (error) =>
    `Raise its limits with: wherry queue update ${nameIn(error)} --max-size N --max-bytes N`,
  EXCHANGE_NOT_FOUND: () =>
    'Create it with: wherry exchange create NAME --type direct|fanout|topic|headers',
  SCHEDULE_NOT_FOUND: () => 'List what there is with: wherry schedule list',
};

/** The queue that the error is about, as a word for a shell. */
function nameIn(error: MessageQueueError): string {
  const hasName = error instanceof QueueNotFoundError || error instanceof QueueFullError;
  if (!hasName) return 'NAME';
  const name = error.queueName;
  return /^[\w.:/@-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

/** The library's messages say what is wrong, then what to call; a queue's name may hold '. ' too. */
const FIRST_SENTENCE = /^.*?(?:does not exist|\))\.(?= |$)/s;

/** @returns the failure in a sentence or two, with the remedy as a command */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof MessageQueueError)) return error.message;
  const remedy = REMEDIES[error.code];
  if (remedy === undefined) return error.message;
  const [what = error.message] = FIRST_SENTENCE.exec(error.message) ?? [];
  return `${what} ${remedy(error)}`;
}

/** @returns what `describe` says; of several mistakes one line each */
export function describeLines(error: unknown): string[] {
  const problems = (error as { problems?: unknown } | null)?.problems;
  if (!Array.isArray(problems) || problems.length < 2) return [describe(error)];
  return [`${problems.length} mistakes:`, ...problems.map((problem) => `  - ${String(problem)}`)];
}

/** @returns the stable code for programs; Node's own (`ENOENT`) for a failed system call */
export function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : 'INTERNAL';
}
