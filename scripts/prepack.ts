/** `npm pack` in a package: a fresh build, with the readme and the licence of the repository. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './find-files.ts';
import { runHere } from './run-command.ts';

for (const file of ['README.md', 'LICENSE']) copyFileSync(join(root, file), file);
process.exitCode = runHere('npm', ['run', 'build', '--silent']);
