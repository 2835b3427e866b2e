import type { Command } from 'commander';
import type { MessageQueueSystem } from '../../index.ts';
import { UsageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { pump } from '../pump.ts';
import { withStore } from '../store.ts';
import { plural } from '../units.ts';
import { duration, integer } from '../values.ts';
import { commandRunner, lineWriter } from './consume-handlers.ts';

interface ConsumeOptions {
  readonly exec?: string;
  readonly envelope?: true;
  readonly max?: number;
  readonly concurrency?: number;
  readonly wait?: number;
  readonly follow?: true;
  readonly timeout?: number;
}

/** Lines on their way to the reader; each is acknowledged when it was taken. */
const LINES_IN_FLIGHT = 256;
/** After a signal, how long a command may go on, and how long a reader may take no line. */
const COMMAND_GRACE_MS = 10_000;
const LINE_GRACE_MS = 2_000;

export function registerConsume(program: Command, line: CommandLine): void {
  const consume = program
    .command('consume')
    .description('take messages: a line of JSON each to standard output, or each to a command')
    .argument('<queue>', 'the queue to take from')
    .option('--exec <command>', 'run it for each message, the payload on its standard input')
    .option('--envelope', 'lines with id, headers, … beside the payload (--json does so too)')
    .option('--max <n>', 'stop after this many messages', integer(1))
    .option(
      '--concurrency <n>',
      'messages in work at once (default: 1 with --exec)',
      integer(1, 10_000),
    )
    .option('--wait <duration>', 'stop when no message came for so long (default: 0)', duration)
    .option('--follow', 'wait for messages until interrupted')
    .option(
      '--timeout <duration>',
      'end a command that takes longer, and reject its message',
      duration,
    );
  consume.addHelpText(
    'after',
    `
A line's message is acknowledged when the line was handed to the reader's pipe or file; if the
reader leaves, the rest stays in the queue.

With --exec, exit code 0 acknowledges the message; anything else rejects it, with the end of the
command's standard error as the reason: it is tried again after the queue's back-off, and
dead-lettered when its retries are used up. The command finds the facts in its environment:
WHERRY_ID, WHERRY_QUEUE, WHERRY_TIMESTAMP, WHERRY_PRIORITY, WHERRY_RETRY_COUNT,
WHERRY_DELIVERY_COUNT, WHERRY_HEADERS (JSON); and, where the message has them, WHERRY_CONTENT_TYPE,
WHERRY_GROUP_ID, WHERRY_DEDUPLICATION_ID, WHERRY_CORRELATION_ID, WHERRY_REPLY_TO, WHERRY_MESSAGE_ID.`,
  );
  addExamples(consume, {
    'All that is there now': 'wherry consume orders > orders.ndjson',
    'One message, with id and headers': 'wherry consume orders --max 1 --envelope',
    'A worker with four commands at a time':
      "wherry consume orders --follow --concurrency 4 --exec './handle-order'",
    'Stop when a minute passes without a message': 'wherry consume orders --wait 1m',
  });
  line.handle<ConsumeOptions>(consume, async (invocation, options, [queue = '']) => {
    if (options.follow && options.wait !== undefined) {
      throw new UsageError('--follow and --wait exclude each other.');
    }
    if (options.timeout !== undefined && options.exec === undefined) {
      throw new UsageError('--timeout goes with --exec.');
    }
    return withStore(invocation, { create: false }, (mq) => run(invocation, mq, queue, options));
  });
}

async function run(
  invocation: Invocation,
  mq: MessageQueueSystem,
  queue: string,
  options: ConsumeOptions,
): Promise<ExitCode> {
  const { output, signal } = invocation;
  if (mq.getQueue(queue).settings.paused) {
    output.note(`Queue '${queue}' is paused: nothing is handed out until it is resumed.`);
  }
  const tally = { acknowledged: 0, rejected: 0 };
  const { exec } = options;
  const concurrency = options.concurrency ?? (exec === undefined ? LINES_IN_FLIGHT : 1);
  const plan = {
    queue,
    consumerId: `wherry-consume-${process.pid}`,
    max: options.max ?? Infinity,
    concurrency,
    refillAt: exec === undefined ? Math.ceil(concurrency / 2) : 1,
    waitMs: options.follow ? Infinity : (options.wait ?? 0),
    signal,
    graceMs: exec === undefined ? LINE_GRACE_MS : COMMAND_GRACE_MS,
  };
  const handle =
    exec === undefined
      ? lineWriter(invocation, mq, options.envelope === true || output.json, tally)
      : commandRunner(invocation, mq, exec, options.timeout, tally);
  try {
    await pump(mq, plan, handle);
  } finally {
    const rejected = tally.rejected === 0 ? '' : `, ${tally.rejected} rejected`;
    output.note(`${plural(tally.acknowledged, 'message')} consumed${rejected}.`);
  }
  if (signal.aborted) return EXIT.interrupted;
  return tally.rejected === 0 ? EXIT.ok : EXIT.partial;
}
