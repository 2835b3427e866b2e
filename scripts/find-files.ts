import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

const generated = new Set(['.git', 'coverage', 'dist', 'node_modules']);

/** @returns the paths of all files below `folder`, relative to it, without what tools made. */
export function findFiles(folder: string): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (generated.has(entry.name)) continue;
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else if (entry.isFile()) found.push(relative(folder, child));
    }
  };
  visit(folder);
  return found.toSorted();
}
