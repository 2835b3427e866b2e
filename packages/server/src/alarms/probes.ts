import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What is measured of the machine and of the process, in bytes. */
export interface Probes {
  /** What a program may still write to the file system of a folder. */
  freeDisk(folder: string): Promise<number>;
  memory(): MemoryUse;
  /** Lets go of what is not needed any more, so that it is not taken for what is. */
  collect(): void;
}

interface MemoryUse {
  readonly used: number;
  /** Of `used`, what is in the JavaScript heap. */
  readonly heap: number;
  /** Beyond it the process would end. */
  readonly heapMax: number;
}

export const SYSTEM_PROBES: Probes = { freeDisk, memory, collect };

/** @returns what this process may have: the machine's memory, or the container's when that is less */
export function memorySize(): number {
  // 0, or more than any machine has: there is no limit.
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(totalmem(), constrained) : totalmem();
}

async function freeDisk(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/**
 * Pages of the store's file are the system's to take back: they are left out. So is what was given
 * back to the allocator: it is not the system's again, but the next messages fit into it.
 */
function memory(): MemoryUse {
  const { heapTotal, external } = process.memoryUsage();
  const { used_heap_size: heap, heap_size_limit: heapMax } = getHeapStatistics();
  return { used: Math.min(anonymous(), heapTotal + external), heap, heapMax };
}

/** @returns resident memory that is backed by no file, or all of it where that is not known */
function anonymous(): number {
  try {
    const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kib !== undefined) return Number(kib) * 1_024;
  } catch {
    // Not Linux.
  }
  return process.memoryUsage.rss();
}

let collector: ((how?: { readonly type: 'minor' }) => void) | undefined;

/** A process that nobody sends to allocates nothing, and would never collect by itself. */
function collect(): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as NonNullable<typeof collector>;
  }
  collector();
  // What buffers had is counted as free when the next collection begins.
  collector({ type: 'minor' });
}
