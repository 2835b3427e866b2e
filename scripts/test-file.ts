import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReportedEvent } from './event-reporter.ts';
import { runCommand, type CommandResult } from './run-command.ts';
import type { Tally } from './terminal.ts';

/** A test that failed, or the file itself when it ended wrongly. */
export interface Failure {
  /** The names of the suites around the test and its own, outermost first. */
  title: string;
  error: string;
}

export interface FileResult {
  tally: Tally;
  failures: Failure[];
  /** What the tests said about themselves with `t.diagnostic()`. */
  notes: string[];
  /** Everything the file printed. */
  output: string;
  /** Milliseconds. */
  duration: number;
}

const reporter = new URL('./event-reporter.ts', import.meta.url).href;

/** Runs one test file in a process of its own. @param timeout milliseconds. */
export async function runTestFile(file: string, timeout: number): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-test-'));
  const report = join(folder, 'report');
  const started = performance.now();
  try {
    const ended = await runCommand(
      process.execPath,
      [
        '--import',
        import.meta.resolve('tsx'),
        `--test-reporter=${reporter}`,
        `--test-reporter-destination=${report}`,
        file,
      ],
      // A test file started by another one would report to that one's runner.
      { timeout, env: { ...process.env, NODE_TEST_CONTEXT: undefined } },
    );
    const events = parseReport(await readFile(report, 'utf8').catch(() => ''));
    return {
      ...judge(events, ended, timeout),
      output: ended.output,
      duration: performance.now() - started,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function parseReport(text: string): ReportedEvent[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ReportedEvent);
}

function judge(
  events: readonly ReportedEvent[],
  ended: CommandResult,
  timeout: number,
): Pick<FileResult, 'tally' | 'failures' | 'notes'> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const failures: Failure[] = [];
  const notes: string[] = [];
  let previousNesting = 0;
  for (const event of events) {
    if (event.kind === 'note') notes.push(event.text);
    if (event.kind !== 'test') continue;
    // A group is reported after the tests inside it. It counts only if it failed by itself.
    const isGroup = previousNesting > event.nesting;
    previousNesting = event.nesting;
    if (event.failedInside || (isGroup && event.outcome !== 'failed')) continue;
    tally[event.outcome] += 1;
    if (event.outcome === 'failed') failures.push({ title: event.name, error: event.error });
  }

  const wrongEnd = describeWrongEnd(events, ended, timeout, failures.length);
  if (wrongEnd !== undefined) {
    tally.failed += 1;
    failures.push({ title: 'the file', error: wrongEnd });
  }
  return { tally, failures, notes };
}

function describeWrongEnd(
  events: readonly ReportedEvent[],
  { code, signal, timedOut }: CommandResult,
  timeout: number,
  failures: number,
): string | undefined {
  if (timedOut) return `did not end within ${timeout / 1000} s`;
  if (signal !== null) return `was ended by ${signal}`;
  if (code === 0 && !events.some(({ kind }) => kind === 'test')) return 'ran no test to its end';
  if (!events.some(({ kind }) => kind === 'end')) {
    return `ended with code ${code} before its tests did`;
  }
  if (code !== 0 && failures === 0) return `ended with code ${code} although no test failed`;
  return undefined;
}
