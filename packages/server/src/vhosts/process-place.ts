import { readFileSync, readlinkSync } from 'node:fs';

/** A process, as others that may be elsewhere know it. */
export interface ProcessPlace {
  /** Where `pid` means something: a machine since its start, and its view of it. Null: unknown. */
  readonly place: string | null;
  readonly pid: number;
}

/** This process. */
export function thisProcess(): ProcessPlace {
  return { place: here(), pid: process.pid };
}

/** Whether a process has ended, as far as that can be seen from here; false: it may live. */
export function hasEnded({ place, pid }: ProcessPlace): boolean {
  if (place === null || place !== here()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

let known: string | null | undefined;

function here(): string | null {
  if (known !== undefined) return known;
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    known = `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Not Linux, or it may not be read.
    known = null;
  }
  return known;
}
