/**
 * `npm run check`: everything about the code that is not a test. Each check prints a line, and what
 * its tool said if it failed. Ends with `N passed, N failed, N skipped`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installBenchTypes } from './bench-dependencies.ts';
import { root } from './find-files.ts';
import { runCommand } from './run-command.ts';
import { formatSeconds, formatTally, indent, paint, type Tally } from './terminal.ts';

/** @returns a command that runs `command` on each package as packed, and fails if one does */
function forEach(command: string): string {
  return `for file in "$PACKED"/*.tgz; do ${command} "$file" || exit 1; done`;
}

/** In this order: examples and benchmarks see the library as built, the last three as packed. */
const checks: [name: string, command: string][] = [
  ['build', 'npm run build --silent'],
  ['types of packages/wherry', 'tsc -p packages/wherry'],
  ['types of packages/server', 'tsc -p packages/server'],
  ['types of dashboard', 'tsc -p dashboard'],
  ['types of scripts', 'tsc -p .'],
  ['types of examples', 'tsc -p examples'],
  ['types of bench', 'tsc -p bench'],
  ['lint', 'oxlint -c oxlint.config.mjs'],
  ['format', 'oxfmt --check .'],
  ['unused code (knip)', 'knip --no-progress'],
  ['pack', 'npm pack --workspace wherry --workspace wherry-server --pack-destination "$PACKED"'],
  ['package shape (publint)', forEach('publint run --strict')],
  ['package types (attw)', forEach('attw --profile esm-only')],
];

async function main(): Promise<number> {
  installBenchTypes();
  const packed = mkdtempSync(join(tmpdir(), 'wherry-pack-'));
  // Some tools colour what they print when CI is set, even into a pipe.
  const env = { ...process.env, PACKED: packed, NO_COLOR: '1', FORCE_COLOR: undefined };
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const [name, command] of checks) {
      const started = performance.now();
      const { code, output } = await runCommand('sh', ['-c', command], { cwd: root, env });
      const isFine = code === 0;
      tally[isFine ? 'passed' : 'failed'] += 1;
      const word = isFine ? paint('green', 'ok    ') : paint('red', 'FAILED');
      console.log(`${word} ${name}  ${paint('dim', formatSeconds(performance.now() - started))}`);
      if (!isFine) console.log(`${indent(`$ ${command}\n${output}`, 4)}\n`);
    }
  } finally {
    rmSync(packed, { recursive: true, force: true });
  }
  console.log(`\n${formatTally(tally)}`);
  return tally.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
