import { readFileSync, realpathSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { sep } from 'node:path';
import { quantile } from './statistics.ts';

/** File systems that keep files in memory: a sync does nothing there. */
const inMemory = new Set(['ramfs', 'tmpfs']);

/** @returns the lines that tell what the figures were measured on */
export function describeMachine(folder: string, syncs: readonly number[]): string[] {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const fileSystem = fileSystemOf(folder);
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(syncs, share).toFixed(2));
  return [
    `${processors.length} × ${processors[0]?.model ?? 'unknown processor'}, ${memory} GiB, ` +
      `${process.platform} ${release()}, Node ${process.versions.node}`,
    `${fileSystem}; fdatasync of an appended page, measured between the runs: ` +
      `p50 ${p50} ms, p99 ${p99} ms (${syncs.length} of them)`,
    ...(inMemory.has(fileSystem)
      ? ['A sync costs nothing in this folder. Name one on a disk with --dir.']
      : []),
  ];
}

/** The type of the file system that holds `folder`, where the system tells. */
function fileSystemOf(folder: string): string {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return 'unknown file system';
  }
  const path = realpathSync(folder);
  let longest = '';
  let type = 'unknown file system';
  for (const line of mounts.split('\n')) {
    const [, at = '', kind = ''] = line.split(' ');
    const isAround = path === at || path.startsWith(at.endsWith(sep) ? at : at + sep);
    // Of mounts at one place the last hides the others.
    if (!isAround || at.length < longest.length) continue;
    longest = at;
    type = kind;
  }
  return type;
}
