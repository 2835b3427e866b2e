import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { Command } from 'commander';
import { registerBench } from './commands/bench.ts';
import { registerBinding } from './commands/binding.ts';
import { registerBrowse } from './commands/browse.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerConfig } from './commands/config.ts';
import { registerConsume } from './commands/consume.ts';
import { registerDeadLetters } from './commands/dead-letters.ts';
import { registerDefinitions } from './commands/definitions.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerExchange } from './commands/exchange.ts';
import { registerExport } from './commands/export.ts';
import { registerImport } from './commands/import.ts';
import { registerMigrate } from './commands/migrate.ts';
import { registerMigrateStore } from './commands/migrate-store.ts';
import { registerPublish } from './commands/publish.ts';
import { registerQueue } from './commands/queue.ts';
import { registerSchedule } from './commands/schedule.ts';
import { registerServe } from './commands/serve.ts';
import { registerTop } from './commands/top.ts';
import { addExamples, exitCodeHelp } from './help.ts';
import type { CommandLine } from './invocation.ts';
import { mayColor } from './output.ts';

/**
 * The command tree. It is built anew for each run: commander keeps what it parsed in it.
 * @param flags how to write help and complaints about the options themselves
 */
export function buildProgram(line: CommandLine, flags: { json: boolean; color: boolean }): Command {
  const { stdout, stderr, env } = line.io;
  const width = (stream: { columns?: number }): number => stream.columns ?? 100;
  const program = new Command('wherry')
    .description(
      'Durable message queues, in a folder or on a server: create them, send, consume, look after them.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .option('--store <url|dir>', 'the store (default: $WHERRY_STORE, else ./wherry-data)')
    .option('--json', 'results as JSON on standard output, errors as JSON on standard error')
    .option('--verbose', 'show stacks with errors')
    .option('--no-color', 'no colour, as when NO_COLOR is set')
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      styleTitle: (text) => styleText('bold', text, { validateStream: false }),
    })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void (flags.json || stderr.write(text)),
      getOutHasColors: () => mayColor(stdout, env, flags.color),
      getErrHasColors: () => mayColor(stderr, env, flags.color),
      getOutHelpWidth: () => width(stdout as { columns?: number }),
      getErrHelpWidth: () => width(stderr as { columns?: number }),
    })
    .showHelpAfterError('Try the command with --help.');
  addExamples(program, {
    'A queue, a message, and the message back': `wherry publish '{"order": 1}' --queue orders --create && wherry consume orders`,
    'A worker': "wherry consume orders --follow --exec './handle-order'",
    'What a command can do': 'wherry publish --help',
  });
  program.addHelpText('after', exitCodeHelp());
  for (const register of COMMANDS) register(program, line);
  return program;
}

const COMMANDS: readonly ((program: Command, line: CommandLine) => void)[] = [
  registerQueue,
  registerPublish,
  registerConsume,
  registerBrowse,
  registerDeadLetters,
  registerExchange,
  registerBinding,
  registerSchedule,
  registerTop,
  registerServe,
  registerConfig,
  registerDefinitions,
  registerMigrate,
  registerExport,
  registerImport,
  registerDoctor,
  registerMigrateStore,
  registerBench,
  registerCompletion,
];

function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
