import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { builtModule } from '../../../../scripts/built-module.ts';
import type { BrokerConfigInput, ServeOptions } from '../../src/index.ts';
import { CHEAP } from '../broker.ts';

/** Where it listens. */
interface Places {
  readonly url: string;
  readonly amqpPort: number | null;
}

/** A broker in a process of its own. */
export class ChildBroker implements AsyncDisposable {
  readonly url: string;
  /** null: it does not serve AMQP. */
  readonly amqpPort: number | null;
  readonly #child: ChildProcess;

  private constructor({ url, amqpPort }: Places, child: ChildProcess) {
    this.url = url;
    this.amqpPort = amqpPort;
    this.#child = child;
  }

  /**
   * @param port 0: any that is free
   * @param config what else it is told; AMQP is off unless it is here
   * @throws Error when it ends before it listens
   */
  static async start(
    store: string,
    port = 0,
    config: BrokerConfigInput = {},
  ): Promise<ChildBroker> {
    const { file: server, execArgv } = builtModule('server', 'index');
    const quiet = { store, port, amqp: { enabled: false }, log: { level: 'silent' } };
    const options: ServeOptions = { passwords: { cost: CHEAP } };
    const told = [{ ...quiet, ...config }, options].map((value) => JSON.stringify(value));
    const child = fork(join(import.meta.dirname, 'broker-process.mjs'), [server, ...told], {
      execArgv: [...execArgv],
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`The broker ended with ${String(code ?? signal)} before it listened.`);
    });
    const [places] = (await Promise.race([once(child, 'message'), ended])) as [Places];
    // It may end now as it likes.
    ended.catch(() => {});
    return new ChildBroker(places, child);
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
