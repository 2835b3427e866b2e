#!/usr/bin/env node
import { isatty } from 'node:tty';
import { EXIT } from './exit-codes.ts';
import { run } from './run.ts';

const interrupt = new AbortController();
const stop = (): void => {
  // The first asks for an end in good order; whoever asks again does not want to wait for it.
  if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
  interrupt.abort();
};
let hangUp = stop;
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.on('SIGHUP', () => hangUp());

const { stdout, stderr, env } = process;
process.exitCode = await run(process.argv.slice(2), {
  // Looking at it opens it; most commands do not read.
  get stdin() {
    return process.stdin;
  },
  stdout,
  stderr,
  env,
  signal: interrupt.signal,
  onHangUp: (reload) => {
    // At a terminal it says that the terminal has gone.
    if (!isatty(0)) hangUp = reload;
  },
});

/** A process that was told to end does not stay for a connection to a server that hangs. */
const LINGER_MS = 1_000;
if (interrupt.signal.aborted) setTimeout(() => process.exit(), LINGER_MS).unref();
