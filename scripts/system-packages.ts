import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './find-files.ts';
import { runCommand } from './run-command.ts';
import { paint } from './terminal.ts';

/** Programs that the tests start besides Node, each with the Debian package that brings it. */
const packageOf = {
  'amqp-publish': 'amqp-tools',
  chromium: 'chromium',
  env: 'coreutils',
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
  php: 'php-cli',
  postgres: 'postgresql-15',
  'redis-cli': 'redis-tools',
  'redis-sentinel': 'redis-sentinel',
  'redis-server': 'redis-server',
  ruby: 'ruby',
  setpriv: 'util-linux',
  strace: 'strace',
  unshare: 'util-linux',
  xfs_io: 'xfsprogs',
} as const;

/** Debian packages that bring modules of other languages, which the tests' foreign clients use. */
const modulePackages = ['php-amqplib', 'python3-celery', 'python3-pika', 'ruby-bunny'];

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

/** @returns the Debian packages, each once, that the tests need and this machine does not have. */
export function missingPackages(): string[] {
  const programs = (Object.keys(packageOf) as Program[]).filter(
    (program) => findProgram(program) === undefined,
  );
  const ofPrograms = programs.map((program) => packageOf[program]);
  return [...new Set([...ofPrograms, ...notInstalled(modulePackages)])].toSorted();
}

/** @returns those of `packages` that the package manager does not have, all where there is none. */
export function notInstalled(packages: readonly string[]): string[] {
  const format = '--showformat=${Package} ${Status}\n';
  const { stdout } = spawnSync('dpkg-query', ['--show', format, ...packages], { encoding: 'utf8' });
  const installed = new Set((stdout ?? '').split('\n'));
  return packages.filter((name) => !installed.has(`${name} install ok installed`));
}

/** @returns the command with which an administrator installs `packages`. */
export function installCommand(packages: readonly string[]): string {
  return `sh ${installer} ${packages.join(' ')}`;
}

/**
 * Installs Debian packages as root, without starting the services that some of them bring; anybody
 * else is told what to run.
 * @returns whether they are on this machine now
 */
export async function providePackages(packages: readonly string[]): Promise<boolean> {
  const command = installCommand(packages);
  if (process.getuid?.() !== 0) {
    console.error(`This starts programs that this machine does not have. As root, run:\n`);
    console.error(`    ${command}\n`);
    return false;
  }
  console.log(`Installing ${packages.join(', ')}.`);
  const { code, output } = await runCommand('sh', [installer, ...packages]);
  if (code === 0) return true;
  console.error(`${output}\n${paint('red', 'FAILED')} ${command}`);
  return false;
}
