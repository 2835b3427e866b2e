import { join } from 'node:path';
import { removeFolder, serverFolder } from '../../../../wherry/test/servers/server-process.ts';
import type { BrokerConfigInput } from '../../../src/index.ts';
import { ChildBroker } from '../../brokers/child-broker.ts';

/** A broker that a foreign client talks AMQP with, and that can be killed. */
export interface AmqpBroker extends AsyncDisposable {
  /** For the user `guest`, who may do everything; `limited` may only send to `limited.*`. */
  readonly url: string;
  /** Kills it and starts it again, on the same port and with the same store. */
  restart(): Promise<void>;
}

const USERS: BrokerConfigInput['users'] = [
  { name: 'guest', password: 'guest-password', admin: true },
  { name: 'limited', password: 'limited-password', permissions: [{ write: ['limited.*'] }] },
];

/** Ours, on LMDB in a temporary folder, since it must survive being killed. */
export class WherryBroker implements AmqpBroker {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  #child: ChildBroker;

  private constructor(folder: string, child: ChildBroker) {
    this.#folder = folder;
    this.#child = child;
    this.#port = child.amqpPort!;
    this.url = `amqp://guest:guest-password@127.0.0.1:${this.#port}/`;
  }

  static async start(): Promise<WherryBroker> {
    const folder = serverFolder('wherry');
    return new WherryBroker(folder, await startChild(folder, 0));
  }

  async restart(): Promise<void> {
    await this.#child.kill();
    this.#child = await startChild(this.#folder, this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.kill();
    removeFolder(this.#folder);
  }
}

function startChild(folder: string, port: number): Promise<ChildBroker> {
  return ChildBroker.start(join(folder, 'store'), 0, { amqp: { port }, users: USERS });
}
