import { setMaxListeners } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Output } from './output.ts';

/** The process as the command sees it, handed in so that tests can run it in theirs. */
export interface CliIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP: stop in good order. */
  readonly signal?: AbortSignal;
  /** From now on a SIGHUP asks a server to reload, as it does by custom, instead of to stop. */
  readonly onHangUp?: (reload: () => void) => void;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly store?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
}

/** One command that was called: where it reads and writes, and which store it is about. */
export interface Invocation {
  readonly io: CliIo;
  readonly output: Output;
  readonly storeUrl: string;
  readonly signal: AbortSignal;
}

/** What a command does; the exit code is 0 where it answers none. */
export type Action<Options> = (
  invocation: Invocation,
  options: Options,
  args: readonly (string | undefined)[],
) => Promise<ExitCode | void>;

/** One run of the command line: collects the exit code of the command that was called. */
export class CommandLine {
  exitCode: ExitCode = EXIT.ok;
  readonly io: CliIo;

  constructor(io: CliIo) {
    this.io = io;
  }

  /** Lets `command` do `action` when it is called. */
  handle<Options>(command: Command, action: Action<Options>): void {
    command.action(async () => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { io } = this;
      const invocation: Invocation = {
        io,
        output: new Output(io, options),
        storeUrl: options.store ?? io.env['WHERRY_STORE'] ?? './wherry-data',
        signal: io.signal ?? new AbortController().signal,
      };
      // As many listen as there are sends waiting for room in a full queue.
      setMaxListeners(0, invocation.signal);
      const exitCode = await action(invocation, options as Options, command.args);
      this.exitCode = exitCode ?? EXIT.ok;
    });
  }
}
