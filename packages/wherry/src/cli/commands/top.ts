import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { describe } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { addExamples } from '../help.ts';
import type { CommandLine, Invocation } from '../invocation.ts';
import { isTerminal } from '../output.ts';
import { requireStore, storageOf } from '../store.ts';
import { type Sample, Sampler } from '../top/sample.ts';
import { Terminal } from '../top/terminal.ts';
import {
  FIRST_VIEW,
  formatSample,
  formatScreen,
  pressKey,
  rowsShown,
  sortRows,
} from '../top/view.ts';
import { duration } from '../values.ts';

interface TopOptions {
  readonly queue?: readonly string[];
  readonly interval: number;
  readonly once?: true;
}

const INTERVAL_MIN_MS = 100;
const QUIT: ReadonlySet<string> = new Set(['q', 'escape', 'ctrl+c', 'ctrl+d']);

export function registerTop(program: Command, line: CommandLine): void {
  const top = program
    .command('top')
    .description('watch the queues: counts, rates, the oldest message, who consumes')
    .option('--queue <queue...>', 'only these queues')
    .option('--interval <duration>', 'time between two looks', duration, 2_000)
    .option('--once', 'one look, as a plain table');
  top.addHelpText(
    'after',
    `
Keys: q quits, s or the arrows left and right choose the column to sort by, r turns the order round,
the arrows up and down scroll. Where standard output is no terminal, one look is printed; with --json, a
line for each look. Rates are those of all processes; consumers are those that hold messages.`,
  );
  addExamples(top, {
    'All queues, every two seconds': 'wherry top --store redis://127.0.0.1:6379',
    'Two of them, more often': 'wherry top --queue orders emails --interval 500ms',
    'A line of JSON every ten seconds': 'wherry top --json --interval 10s',
  });
  line.handle<TopOptions>(top, async (invocation, options) => {
    requireStore(invocation.storeUrl);
    const { withParts } = await import('../../with-parts.ts');
    const { SystemClock } = await import('../../index.ts');
    const storage = await storageOf(invocation.storeUrl, invocation.io);
    return withParts(storage, new SystemClock(), (parts) =>
      watch(invocation, new Sampler(parts, options.queue), options),
    );
  });
}

async function watch(
  invocation: Invocation,
  sampler: Sampler,
  { once, ...rest }: TopOptions,
): Promise<ExitCode> {
  const { io, output } = invocation;
  const interval = Math.max(INTERVAL_MIN_MS, rest.interval);
  const first = await sampler.look();
  if (output.json) {
    await output.jsonLine(first);
    return once ? EXIT.ok : writeLines(invocation, sampler, interval);
  }
  if (once || !isTerminal(io.stdout)) {
    const heading = (text: string): string => output.style(output.stdout, 'bold', text);
    await output.write(formatSample(sortRows(first.queues, FIRST_VIEW), FIRST_VIEW, heading));
    return EXIT.ok;
  }
  return showScreen(invocation, sampler, interval, first);
}

async function writeLines(
  { output, signal }: Invocation,
  sampler: Sampler,
  interval: number,
): Promise<ExitCode> {
  while (await pause(interval, signal)) await output.jsonLine(await sampler.look());
  return EXIT.interrupted;
}

async function showScreen(
  { io, output, signal }: Invocation,
  sampler: Sampler,
  interval: number,
  first: Sample,
): Promise<ExitCode> {
  const quit = new AbortController();
  let state = FIRST_VIEW;
  let sample = first;
  let notice: string | null = null;
  const draw = (): void => {
    const heading = (text: string): string => output.style(output.stdout, 'bold', text);
    terminal.show(formatScreen(sample, state, terminal.size, notice, heading));
  };
  const onKey = (key: string): void => {
    if (QUIT.has(key)) quit.abort();
    const rows = { total: sample.queues.length, shown: rowsShown(terminal.size.height) };
    state = pressKey(key, state, rows) ?? state;
    draw();
  };
  const end = AbortSignal.any([signal, quit.signal]);
  using terminal = new Terminal(io.stdin, io.stdout, onKey, draw);
  draw();
  while (await pause(interval, end)) {
    try {
      sample = await sampler.look();
      notice = null;
    } catch (error) {
      // The store may come back: the last look stays.
      notice = describe(error);
    }
    draw();
  }
  return signal.aborted ? EXIT.interrupted : EXIT.ok;
}

/** @returns whether the time passed without the signal */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
