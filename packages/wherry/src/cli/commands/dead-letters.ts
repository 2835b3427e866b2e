import type { Command } from 'commander';
import type { Envelope } from '../../core/message.ts';
import type { MessageQueueSystem } from '../../index.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addExamples, given } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { envelopeRecord } from '../message-line.ts';
import { collect, pages } from '../pages.ts';
import { startProgress } from '../progress.ts';
import { withStore } from '../store.ts';
import { shorten } from '../table.ts';
import { formatTime, plural } from '../units.ts';
import { decimal, integer } from '../values.ts';
import { payloadPreview } from './browse.ts';

const ERROR_WIDTH = 40;
const RATE_MAX = 1_000_000;

export function registerDeadLetters(program: Command, line: CommandLine): void {
  const deadLetters = program
    .command('dead-letters')
    .description('look at dead messages, send them back, delete them');
  registerList(deadLetters, line);
  registerRedrive(deadLetters, line);
  registerPurge(deadLetters, line);
}

function registerList(deadLetters: Command, line: CommandLine): void {
  const list = deadLetters
    .command('list')
    .description('list dead messages with the reason of their last death')
    .option('--queue <queue>', "the dead-letter queue (default: the system's)")
    .option('--limit <n>', 'most messages shown', integer(1), 20);
  addExamples(list, {
    'What died, and why': 'wherry dead-letters list',
    'The ids of those that came from one queue':
      'wherry dead-letters list --limit 100000 --json | jq -r \'select(.deaths[-1].queue == "orders").id\'',
  });
  line.handle<{ queue?: string; limit: number }>(list, async (invocation, { queue, limit }) =>
    withStore(invocation, { create: false }, async (mq) => {
      const { output } = invocation;
      const listed = pages((page) => mq.deadLetterQueue.list(queue, page), limit);
      if (output.json) return output.records(listed, envelopeRecord);
      const messages = await collect(listed);
      if (messages.length === 0) return output.write('No dead messages.\n');
      await output.table(messages, {
        ID: (envelope) => envelope.id,
        'DIED IN': (envelope) => lastDeath(envelope)?.queue,
        REASON: (envelope) => lastDeath(envelope)?.reason,
        DEATHS: (envelope) => envelope.deaths.reduce((sum, { count }) => sum + count, 0),
        AT: (envelope) => formatTime(lastDeath(envelope)?.time),
        ERROR: (envelope) => shorten(lastDeath(envelope)?.error ?? '-', ERROR_WIDTH),
        PAYLOAD: payloadPreview,
      });
    }),
  );
}

function lastDeath({ deaths }: Envelope): Envelope['deaths'][number] | undefined {
  return deaths.at(-1);
}

interface RedriveOptions {
  readonly from?: string;
  readonly to?: string;
  readonly id?: readonly string[];
  readonly max?: number;
  readonly rate?: number;
}

function registerRedrive(deadLetters: Command, line: CommandLine): void {
  const redrive = deadLetters
    .command('redrive')
    .description('send dead messages back, each to the queue it died in')
    .option('--from <queue>', "the dead-letter queue (default: the system's)")
    .option('--to <queue>', 'send them to this queue instead')
    .option('--id <id...>', 'only these messages')
    .option('--max <n>', 'most messages moved', integer(1))
    .option('--rate <n>', 'most messages per second', decimal(0.001, RATE_MAX));
  addExamples(redrive, {
    'All of them, to where they came from': 'wherry dead-letters redrive',
    'A few to try': 'wherry dead-letters redrive --max 5',
    'Gently, to another queue': 'wherry dead-letters redrive --to orders-repair --rate 10',
  });
  line.handle<RedriveOptions>(redrive, async (invocation, options) =>
    withStore(invocation, { create: false }, (mq) => redriveWithProgress(invocation, mq, options)),
  );
}

async function redriveWithProgress(
  { io, output, signal }: Invocation,
  mq: MessageQueueSystem,
  { from, to, id: ids, max, rate }: RedriveOptions,
): Promise<ExitCode> {
  const progress = await startProgress(io.stderr, ids?.length ?? max ?? null);
  let result = { moved: 0, skipped: 0 };
  try {
    result = await mq.deadLetterQueue.redrive({
      ...given({ from, to, ids, max, rate }),
      signal,
      onProgress: (done) => {
        result = done;
        progress.update(done.moved, `${plural(done.moved, 'message')} moved`);
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.stop();
  }
  const { moved, skipped } = result;
  const missing = ids === undefined || signal.aborted ? 0 : ids.length - moved - skipped;
  const remarks = [
    ...(skipped > 0 ? [`; ${skipped} left where they were: their queue is gone or full`] : []),
    ...(missing > 0 ? [`; ${missing} not found`] : []),
  ];
  const text = `Moved ${plural(moved, 'message')}${remarks.join('')}.`;
  await output.result(text, { moved, skipped, missing });
  if (signal.aborted) return EXIT.interrupted;
  return skipped + missing === 0 ? EXIT.ok : EXIT.partial;
}

function registerPurge(deadLetters: Command, line: CommandLine): void {
  const purge = deadLetters
    .command('purge')
    .description('delete dead messages for good')
    .option('--queue <queue>', "the dead-letter queue (default: the system's)");
  addExamples(purge, { 'Delete all dead messages': 'wherry dead-letters purge' });
  line.handle<{ queue?: string }>(purge, async (invocation, { queue }) =>
    withStore(invocation, { create: false }, async (mq) => {
      const messages = await mq.deadLetterQueue.purge(queue);
      const text = `Deleted ${plural(messages, 'dead message')}.`;
      await invocation.output.result(text, { messages });
    }),
  );
}
