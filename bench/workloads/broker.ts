import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cpuMsOf } from '../harness/processor-time.ts';

/** What a process that serves tells whoever started it. */
export interface Served {
  readonly url: string;
}

/** A server in a process of its own, so that its processor time is not the client's. */
export class ServerProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** @param file a program beside this one, which sends a `Served` once it listens */
  static async start(file: string, ...args: string[]): Promise<ServerProcess> {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
    const told = once(child, 'message') as Promise<[Served]>;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${String(code)} before it listened.`);
    });
    const [{ url }] = await Promise.race([told, ended]);
    return new ServerProcess(url, child);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** @returns milliseconds of processor time that it has used so far */
  cpuMs(): number {
    return cpuMsOf(this.#child.pid!);
  }

  /** It closes what it has open when whoever started it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
