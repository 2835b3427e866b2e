/** `npm run bench -- NAME [--json]`: runs bench/NAME.ts, after installing what it compares with. */
import { join } from 'node:path';
import { readdirSync } from 'node:fs';
import { benchFolder, installBenchPeers } from './bench-dependencies.ts';
import { runHere } from './run-command.ts';

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(benchFolder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));

if (name === undefined || !names.includes(name)) {
  console.error(`Usage: npm run bench -- NAME [--json]\nNAME is one of: ${names.join(', ')}`);
  process.exitCode = 2;
} else {
  installBenchPeers();
  const file = join(benchFolder, `${name}.ts`);
  process.exitCode = runHere(process.execPath, ['--import', 'tsx', file, ...args]);
}
