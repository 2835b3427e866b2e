import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A broker in a process of its own. */
export class ChildBroker implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** @param port 0: any that is free @throws Error when it ends before it listens */
  static async start(store: string, port = 0): Promise<ChildBroker> {
    const file = join(import.meta.dirname, 'broker-process.ts');
    const execArgv = ['--import', import.meta.resolve('tsx')];
    const child = fork(file, [store, String(port)], { execArgv, stdio: ['ignore', 2, 2, 'ipc'] });
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`The broker ended with ${String(code ?? signal)} before it listened.`);
    });
    const [{ url }] = (await Promise.race([once(child, 'message'), ended])) as [{ url: string }];
    // It may end now as it likes.
    ended.catch(() => {});
    return new ChildBroker(url, child);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** As when the kernel runs out of memory. */
  async kill(): Promise<void> {
    await this.#end(() => this.#child.kill('SIGKILL'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(() => this.#child.disconnect());
  }

  async #end(ask: () => void): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    ask();
    await ended;
  }
}
