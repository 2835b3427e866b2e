#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { run } from './run.ts';

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The first asks for an end in good order; whoever asks again does not want to wait for it.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  });
}

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
});
