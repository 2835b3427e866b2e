import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFiles, root } from '../../../scripts/find-files.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
/** Within `node_modules`, so that what is imported by name is found. */
const CACHE = join(PACKAGE, 'node_modules', '.cache', 'compiled-tests');
/** What nobody asked for in a day was made from sources that have changed since. */
const KEPT_MS = 24 * 3_600_000;

/**
 * A program of the tests, and all that it imports, as JavaScript: started through tsx, each process
 * costs a second of the machine. It is compiled once for each state of the sources.
 * @returns the path of the compiled program
 */
export function compiled(program: URL): string {
  const file = fileURLToPath(program);
  const folder = join(CACHE, stateOf(file));
  if (!existsSync(folder)) compile(file, folder);
  const now = new Date();
  utimesSync(folder, now, now);
  return join(folder, relative(PACKAGE, file).replace(/\.ts$/, '.js'));
}

function stateOf(file: string): string {
  const hash = createHash('sha1').update(file);
  for (const source of findFiles(PACKAGE)) {
    const { mtimeMs, size } = statSync(join(PACKAGE, source));
    hash.update(`${source}:${mtimeMs}:${size}\n`);
  }
  return hash.digest('hex');
}

function compile(file: string, folder: string): void {
  mkdirSync(CACHE, { recursive: true });
  for (const name of readdirSync(CACHE)) {
    const old = join(CACHE, name);
    const age = Date.now() - (statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
    if (age > KEPT_MS) rmSync(old, { recursive: true, force: true });
  }
  const made = mkdtempSync(join(CACHE, 'new-'));
  const config = join(made, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    noCheck: true,
    declaration: false,
    isolatedDeclarations: false,
    rootDir: PACKAGE,
    outDir: made,
  };
  const tsconfig = { extends: join(PACKAGE, 'tsconfig.json'), compilerOptions, files: [file] };
  writeFileSync(config, JSON.stringify({ ...tsconfig, include: [] }));
  execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], { stdio: 'inherit' });
  // What the compiler leaves: SQL, Lua, and that these are modules.
  cpSync(join(PACKAGE, 'package.json'), join(made, 'package.json'));
  const filter = (source: string): boolean => !source.endsWith('.ts');
  cpSync(join(PACKAGE, 'src'), join(made, 'src'), { recursive: true, filter });
  try {
    renameSync(made, folder);
  } catch (error) {
    // Another test file was faster.
    if (!existsSync(folder)) throw error;
    rmSync(made, { recursive: true });
  }
}
