import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './find-files.ts';

/** A module that a test starts in a process of its own. */
export interface StartedModule {
  readonly file: string;
  /** What Node needs to read it. */
  readonly execArgv: readonly string[];
}

/**
 * A module of a package as it was built, which starts in half the time; its source where something
 * was changed since, so that no test runs what is not there any more.
 * @param name its path in `src`, without the extension
 */
export function builtModule(packageFolder: 'wherry' | 'server', name: string): StartedModule {
  const folder = join(root, 'packages', packageFolder);
  const built = join(folder, 'dist', `${name}.js`);
  if (changedAt(built) > lastChange(join(folder, 'src'))) return { file: built, execArgv: [] };
  const execArgv = ['--import', import.meta.resolve('tsx')];
  return { file: join(folder, 'src', `${name}.ts`), execArgv };
}

function lastChange(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return Math.max(...files.map((file) => changedAt(join(folder, file))));
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}
