import { requireFaultTools } from './machine.ts';

/**
 * The command that runs another one, and fails some of its system calls.
 * @param inject what happens at which call, as strace has it: `fdatasync:error=EIO:when=4`
 */
export function straceCommand(inject: string): readonly string[] {
  requireFaultTools();
  const trace = inject.slice(0, inject.indexOf(':'));
  // Not --seccomp-bpf, which is faster: with it strace 6.1 injects no signal into some threads.
  const quiet = ['-f', '-qq', '-o', '/dev/null'];
  return ['strace', ...quiet, '-e', `trace=${trace}`, '-e', `inject=${inject}`];
}

/** The command that watches the system calls of a process that runs, or fails some of them. */
export function straceRunning(pid: number, options: readonly string[]): readonly string[] {
  requireFaultTools();
  return ['strace', '-f', ...options, '-p', String(pid)];
}

/** strace counts calls per thread; with one thread that syncs, the count is the process's. */
export const ONE_SYNCING_THREAD = { UV_THREADPOOL_SIZE: '1' } as const;
