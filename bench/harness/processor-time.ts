import { readFileSync, readdirSync } from 'node:fs';

/** Of the kernel's clock ticks: it tells times in hundredths of a second everywhere. */
const TICK_MS = 10;

/** @returns milliseconds of processor time that a server has used so far, in all its processes */
export function cpuMsOf(pid: number): number {
  const ticks = [pid, ...childrenOf(pid)].map((one) => ticksOf(one, one === pid));
  return ticks.reduce((sum, one) => sum + one, 0) * TICK_MS;
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => fieldsOf(one)?.[1] === String(pid));
}

/** @param withGone children that ended are counted with their parent */
function ticksOf(pid: number, withGone: boolean): number {
  const fields = fieldsOf(pid);
  if (fields === null) return 0;
  const [user = 0, system = 0, goneUser = 0, goneSystem = 0] = fields.slice(11, 15).map(Number);
  return user + system + (withGone ? goneUser + goneSystem : 0);
}

/** The fields of /proc/PID/stat from the state on; a name may hold anything. */
function fieldsOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
