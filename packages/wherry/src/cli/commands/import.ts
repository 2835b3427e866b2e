import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { ValidationError } from '../../core/errors.ts';
import type { ImportResult } from '../../core/transfer/import.ts';
import { InterruptedError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import { openInput } from '../input.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { parseJson } from '../json.ts';
import { lineBatches } from '../lines.ts';
import { startProgress } from '../progress.ts';
import { storageOf } from '../store.ts';
import { plural } from '../units.ts';

interface ImportOptions {
  readonly queue?: readonly string[];
  readonly keepSettings?: true;
  readonly again?: true;
}

/** The greatest payload as JSON text, each of its characters escaped. */
const LINE_BYTES_MAX = 128 * 1024 * 1024;

export function registerImport(program: Command, line: CommandLine): void {
  const command = program
    .command('import')
    .description('store what an export holds; the store is made where there is none')
    .argument('<file>', "the file, or '-' for standard input")
    .option('--queue <queue...>', 'only these queues')
    .option('--keep-settings', 'let queues that are there with other settings keep them')
    .option('--again', 'import what was imported before, unless it is still there');
  command.addHelpText(
    'after',
    `
Interrupted or killed, it is finished by running it again: each message is stored once, also when a
consumer has it done by then.`,
  );
  addExamples(command, {
    'Everything in the file': 'wherry import store.ndjson --store redis://127.0.0.1:6379',
    'A compressed one, one queue of it':
      'gunzip -c store.ndjson.gz | wherry import - --queue orders',
  });
  line.handle<ImportOptions>(command, async (invocation, options, [file = '-']) => {
    const result = await readAll(invocation, options, file === '-' ? null : file);
    return show(invocation, result);
  });
}

async function readAll(
  invocation: Invocation,
  { queue, keepSettings, again }: ImportOptions,
  file: string | null,
): Promise<ImportResult> {
  const { io, signal, storeUrl } = invocation;
  const { stream, size } = await openInput(invocation, file);
  const { withParts } = await import('../../with-parts.ts');
  const { Import } = await import('../../core/transfer/import.ts');
  const { SystemClock } = await import('../../index.ts');
  const progress = await startProgress(io.stderr, size);
  try {
    return await withParts(await storageOf(storeUrl, io), new SystemClock(), async (parts) => {
      const run = again === true ? randomBytes(6).toString('hex') : null;
      const target = new Import(parts, {
        queues: queue,
        keepSettings: keepSettings === true,
        again: run,
      });
      let bytesRead = 0;
      for await (const lines of lineBatches(stream, LINE_BYTES_MAX)) {
        for (const { number, bytes } of lines) {
          await atLine(number, async () => target.add(number, read(bytes)));
          bytesRead += (bytes?.length ?? 0) + 1;
        }
        progress.update(bytesRead, plural(target.done, 'message'));
      }
      return target.end();
    });
  } catch (error) {
    throw signal.aborted ? new InterruptedError() : error;
  } finally {
    progress.stop();
  }
}

function read(bytes: Buffer | null): unknown {
  if (bytes === null) throw new ValidationError(`It is longer than ${LINE_BYTES_MAX} bytes.`);
  return parseJson(bytes.toString('utf8'));
}

/** What is wrong with a line is told with its number. */
async function atLine(number: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw new ValidationError(`Line ${number}: ${error.message}`, { cause: error });
  }
}

async function show({ output }: Invocation, result: ImportResult): Promise<ExitCode> {
  const { messages, duplicates, queues, exchanges, bindings, schedules, refused } = result;
  const known = duplicates === 0 ? '' : `; ${plural(duplicates, 'message')} imported before`;
  const text =
    `Imported ${plural(messages, 'message')} in ${plural(queues, 'queue')}${known}. ` +
    `${plural(exchanges, 'exchange')}, ${plural(bindings, 'binding')}, ${plural(schedules, 'schedule')}.`;
  await output.result(text, result);
  for (const [queue, { messages: count, reason }] of Object.entries(refused)) {
    const why =
      reason === 'volatile'
        ? 'it is not durable: they would be in the memory of this command'
        : `it has no room (${reason}); import again when it has`;
    output.note(`${plural(count, 'message')} of queue '${queue}' were left out: ${why}.`);
  }
  return Object.keys(refused).length === 0 ? EXIT.ok : EXIT.partial;
}
