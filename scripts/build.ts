/**
 * `npm run build` in a package: compiles `src` into `dist`, copies what the compiler leaves (SQL,
 * Lua), removes from `dist` what no source makes any more, and lets the commands be started. Other
 * processes may read `dist` meanwhile, so the folder is never emptied.
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findFiles } from './find-files.ts';
import { runHere } from './run-command.ts';

const code = runHere('tsc', ['-p', 'tsconfig.build.json']);
if (code !== 0) process.exit(code);

const sources = findFiles('src');
const made = new Set(
  sources.flatMap((file) => {
    if (!file.endsWith('.ts')) return [file];
    const name = file.replace(/\.ts$/, '');
    return [`${name}.js`, `${name}.d.ts`];
  }),
);
for (const file of sources.filter((source) => made.has(source))) {
  mkdirSync(dirname(join('dist', file)), { recursive: true });
  copyFileSync(join('src', file), join('dist', file));
}
for (const file of findFiles('dist')) {
  if (!made.has(file)) rmSync(join('dist', file));
}

const { bin = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  bin?: Record<string, string>;
};
for (const command of Object.values(bin)) chmodSync(command, 0o755);
