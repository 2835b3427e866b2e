import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './find-files.ts';
import { runHere } from './run-command.ts';

export const benchFolder: string = join(root, 'bench');

const QUIETLY = ['--ignore-scripts', '--no-audit', '--no-fund'];

/** Names a binary that only the install script makes. */
const compiledBinary = join(
  benchFolder,
  'node_modules/better-sqlite3/build/Release/better_sqlite3.node',
);

/** An optional package, on every platform: with it are those that make peers fast, and a newer Node. */
const optionalPackage = join(benchFolder, 'node_modules/msgpackr-extract');

/** Installs the peers that the benchmarks compare with; their types are enough to check types. */
export function installBenchTypes(): void {
  // npm writes this file last, so an older one belongs to other versions or to half an install.
  const installed = modifiedAt('node_modules/.package-lock.json');
  if (installed !== null && installed >= (modifiedAt('package-lock.json') ?? 0)) return;
  install(['ci', '--omit=optional', ...QUIETLY]);
}

/** Installs the peers ready to run: better-sqlite3 is compiled, which takes about a minute. */
export function installBenchPeers(): void {
  installBenchTypes();
  if (!existsSync(optionalPackage)) install(['ci', ...QUIETLY]);
  if (existsSync(compiledBinary)) return;
  console.error('Compiling better-sqlite3 for the benchmarks, once; this takes about a minute.');
  install(['rebuild', 'better-sqlite3']);
}

function modifiedAt(file: string): number | null {
  return statSync(join(benchFolder, file), { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function install(args: string[]): void {
  const code = runHere('npm', args, { cwd: benchFolder });
  if (code !== 0) throw new Error(`npm ${args.join(' ')} in bench/ ended with code ${code}`);
}
