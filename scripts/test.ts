/**
 * `npm test [-- NAME...]`: builds, then runs every test file, or those whose path contains a NAME.
 * Without a NAME, up to three files that fail beside others are run once more, alone.
 * Ends with `N passed, N failed, N skipped`. Exit code: 0 all passed; 1 a test failed, none ran or
 * the build failed; 2 a program that the tests start is missing.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { findFiles, root } from './find-files.ts';
import { runHere } from './run-command.ts';
import { missingPackages, providePackages } from './system-packages.ts';
import { formatSeconds, formatTally, indent, paint, type Tally } from './terminal.ts';
import { runTestFile, type FileResult } from './test-file.ts';

/** Milliseconds for one file; the longest suite has a budget far below it. */
const fileTimeout = 300_000;

/** Of the files that run side by side, so many wait at any time, for a server or for time to pass. */
const waitingFiles = 1;

/** A busy machine makes a test miss a deadline here and there. If more fail, it is not the machine. */
const secondTriesMax = 3;

const testFile = /^(packages\/[^/]+\/test|examples|scripts)\/.*\.test\.ts$/;

async function main(names: readonly string[]): Promise<number> {
  const files = findFiles(root)
    .filter((file) => testFile.test(file))
    .filter((file) => names.length === 0 || names.some((name) => file.includes(name)));
  if (files.length === 0) {
    console.error(paint('red', `No test file has ${names.join(' or ')} in its path.`));
    return 1;
  }
  const missing = missingPackages();
  if (missing.length > 0 && !(await providePackages(missing))) return 2;
  if (runHere('npm', ['run', 'build', '--silent'], { cwd: root }) !== 0) return 1;

  const isNarrow = names.length > 0;
  const results = new Map<string, FileResult>();
  await runEach(files, availableParallelism() + waitingFiles, async (file) => {
    const result = await runTestFile(join(root, file), fileTimeout);
    results.set(file, result);
    printFile(`${results.size}/${files.length}`, file, result, isNarrow);
  });
  const failed = [...results].filter(([, { failures }]) => failures.length > 0);
  for (const [file, result] of failed) printFailures(file, result);
  // Whoever runs a few tests looks into one that fails now and then, and must see it.
  if (!isNarrow && failed.length <= secondTriesMax) await tryAlone(failed, results);

  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const { tally } of results.values()) addTally(total, tally);

  console.log(`\n${formatTally(total)}`);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

/** Runs again, with nothing beside it, what failed beside others; says so of what passes then. */
async function tryAlone(
  failed: readonly (readonly [string, FileResult])[],
  results: Map<string, FileResult>,
): Promise<void> {
  for (const [file, first] of failed) {
    const result = await runTestFile(join(root, file), fileTimeout);
    results.set(file, result);
    printFile('alone', file, result, false);
    if (result.failures.length > 0) {
      printFailures(file, result);
      continue;
    }
    for (const { title } of first.failures) {
      console.log(
        paint('yellow', `UNSTEADY ${file}: failed beside others, passed alone: ${title}`),
      );
    }
  }
}

/** Calls `run` for every item, at most `limit` at a time, in order. */
async function runEach<Item>(
  items: readonly Item[],
  limit: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    // The workers share one iterator, so each item is taken once.
    for (const item of waiting) await run(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

function addTally(total: Tally, { passed, failed, skipped }: Tally): void {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}

function printFile(progress: string, file: string, result: FileResult, showOutput: boolean): void {
  const { passed, failed, skipped } = result.tally;
  const word = failed > 0 ? paint('red', 'FAILED') : paint('green', 'ok    ');
  const skips = skipped > 0 ? `, ${skipped} skipped` : '';
  const counts = `${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${skips}`;
  const details = paint('dim', `${counts}, ${formatSeconds(result.duration)}`);
  console.log(`${word} ${paint('dim', progress)} ${file}  ${details}`);
  for (const note of result.notes) console.log(paint('dim', indent(note, 9)));
  if (showOutput && failed === 0 && result.output !== '') console.log(indent(result.output, 9));
}

function printFailures(file: string, { failures, output }: FileResult): void {
  console.log(`\n${paint('red', `FAILED ${file}`)}`);
  for (const { title, error } of failures) {
    console.log(`\n  ${paint('red', title)}\n${indent(error, 4)}`);
  }
  if (output.trim() !== '') console.log(`\n  it printed:\n${indent(output, 4)}`);
}

process.exitCode = await main(process.argv.slice(2));
