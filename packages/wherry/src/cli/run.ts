import { CommanderError } from 'commander';
import { OutputClosedError, UsageError } from './errors.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { type CliIo, CommandLine } from './invocation.ts';
import { Output } from './output.ts';
import { buildProgram } from './program.ts';

/** After a signal, how long a reader may take to read what is left. */
const READER_GRACE_MS = 1_000;

/**
 * Runs one command line.
 * @param argv what was typed after the program's name
 * @returns the exit code; failures are told on standard error, never thrown
 */
export async function run(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  // A reader that left shows at the write; as an event of the stream it would end the process.
  const ignore = (): void => {};
  io.stdout.on('error', ignore);
  io.stderr.on('error', ignore);
  const line = new CommandLine(io);
  try {
    await buildProgram(line, globalFlags(argv)).parseAsync(argv, { from: 'user' });
    return line.exitCode;
  } catch (error) {
    return failed(error, argv, io);
  } finally {
    await drained(io.stdout, io.signal);
    io.stdout.off('error', ignore);
    io.stderr.off('error', ignore);
  }
}

/** What must be known before the options are parsed: how to tell that they are wrong. */
function globalFlags(argv: readonly string[]): { json: boolean; verbose: boolean; color: boolean } {
  const end = argv.indexOf('--');
  const options = end === -1 ? argv : argv.slice(0, end);
  return {
    json: options.includes('--json'),
    verbose: options.includes('--verbose'),
    color: !options.includes('--no-color'),
  };
}

function failed(error: unknown, argv: readonly string[], io: CliIo): ExitCode {
  if (error instanceof OutputClosedError) return EXIT.ok;
  const output = new Output(io, globalFlags(argv));
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // For a person, commander has written it already.
    if (output.json) output.failure(new UsageError(usageMessage(error)));
    return EXIT.usage;
  }
  output.failure(error);
  return exitCodeOf(error);
}

function usageMessage({ code, message }: CommanderError): string {
  const isGroup = code === 'commander.help';
  return isGroup ? 'Name a subcommand; --help lists them.' : message.replace(/^error: /, '');
}

/**
 * Help and versions are written without waiting: they must be out before the process ends. A reader
 * that takes nothing does not hold up one that was told to end.
 */
function drained(stream: CliIo['stdout'], signal: CliIo['signal']): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded || stream.writableLength === 0) return resolve();
    stream.write('', () => resolve());
    const giveUp = (): void => void setTimeout(resolve, READER_GRACE_MS).unref();
    if (signal?.aborted === true) giveUp();
    else signal?.addEventListener('abort', giveUp, { once: true });
  });
}
