import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './run-command.ts';

/** Programs that the tests start besides Node, each with the Debian package that brings it. */
const packageOf = {
  faketime: 'faketime',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  mount: 'mount',
  strace: 'strace',
  unshare: 'util-linux',
  xfs_io: 'xfsprogs',
} as const;

/** Administrators' folders are often missing from the PATH of an ordinary user. */
const searchPath = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];

function isInstalled(program: string): boolean {
  return searchPath.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @returns the Debian packages, each once, whose programs are not on this machine. */
export function missingPackages(): string[] {
  const missing = Object.entries(packageOf).filter(([program]) => !isInstalled(program));
  return [...new Set(missing.map(([, name]) => name))].toSorted();
}

/** @returns the command with which an administrator installs `packages`. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get update && apt-get install -y ${packages.join(' ')}`;
}

/**
 * Installs Debian packages; needs root.
 * @returns what the package manager printed if it failed, else `null`.
 */
export async function installPackages(packages: readonly string[]): Promise<string | null> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = await runCommand('sh', ['-c', installCommand(packages)], { env });
  return result.code === 0 ? null : result.output;
}
