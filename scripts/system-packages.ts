import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './find-files.ts';
import { runCommand } from './run-command.ts';

/** Programs that the tests start besides Node, each with the Debian package that brings it. */
const packageOf = {
  chromium: 'chromium',
  faketime: 'faketime',
  initdb: 'postgresql-15',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  mount: 'mount',
  openssl: 'openssl',
  pg_dump: 'postgresql-client-15',
  pg_restore: 'postgresql-client-15',
  pgbouncer: 'pgbouncer',
  postgres: 'postgresql-15',
  'redis-cli': 'redis-tools',
  'redis-sentinel': 'redis-sentinel',
  'redis-server': 'redis-server',
  setpriv: 'util-linux',
  strace: 'strace',
  unshare: 'util-linux',
  xfs_io: 'xfsprogs',
} as const;

/** A program that the tests start. */
export type Program = keyof typeof packageOf;

const installer = join(root, 'scripts/install-packages.sh');

/** Debian keeps the programs of each major version of PostgreSQL in a folder of their own. */
const postgresFolder = '/usr/lib/postgresql';

/** Administrators' folders are often missing from the PATH of an ordinary user. */
function searchPath(): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  return [...path, '/usr/sbin', '/sbin', ...postgresFolders()];
}

function postgresFolders(): string[] {
  if (!existsSync(postgresFolder)) return [];
  const newestFirst = readdirSync(postgresFolder).toSorted((a, b) => Number(b) - Number(a));
  return newestFirst.map((version) => join(postgresFolder, version, 'bin'));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @returns where a program is; `undefined` if it is not on this machine. */
export function findProgram(program: Program): string | undefined {
  return searchPath()
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

/** @returns the Debian packages, each once, whose programs are not on this machine. */
export function missingPackages(): string[] {
  const missing = (Object.keys(packageOf) as Program[]).filter(
    (program) => findProgram(program) === undefined,
  );
  return [...new Set(missing.map((program) => packageOf[program]))].toSorted();
}

/** @returns the command with which an administrator installs `packages`. */
export function installCommand(packages: readonly string[]): string {
  return `sh ${installer} ${packages.join(' ')}`;
}

/**
 * Installs Debian packages, without starting the services that some of them bring; needs root.
 * @returns what the package manager printed if it failed, else `null`.
 */
export async function installPackages(packages: readonly string[]): Promise<string | null> {
  const result = await runCommand('sh', [installer, ...packages]);
  return result.code === 0 ? null : result.output;
}
