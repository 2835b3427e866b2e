import type { MessageQueueSystem } from 'wherry';
import type { AmqpContext, AmqpVhost, MakeVhost } from '../contracts.ts';

/** The virtual hosts of a broker that AMQP connections work with, each made once. */
export class AmqpVhosts {
  readonly #context: AmqpContext;
  readonly #make: MakeVhost;
  readonly #made = new Map<MessageQueueSystem, Promise<AmqpVhost>>();

  /** @param closing is waited for before a virtual host ends: its connections must end first */
  constructor(context: AmqpContext, make: MakeVhost, closing: (vhost: AmqpVhost) => Promise<void>) {
    this.#context = context;
    this.#make = make;
    context.vhosts.beforeClose(async (system) => {
      const vhost = await this.#forget(system);
      if (vhost === undefined) return;
      await closing(vhost);
      await vhost.close();
    });
  }

  /** @returns undefined when there is none of this name @throws StorageError */
  async open(name: string): Promise<AmqpVhost | undefined> {
    const system = await this.#context.vhosts.opened(name);
    if (system === undefined) return undefined;
    let made = this.#made.get(system);
    if (made === undefined) {
      made = this.#make(name, system, this.#context);
      this.#made.set(system, made);
      // The next who asks tries again.
      made.catch(() => this.#made.delete(system));
    }
    return made;
  }

  /** Ends those that are left; what has failed to begin needs no end. */
  async close(): Promise<void> {
    const systems = [...this.#made.keys()];
    const vhosts = await Promise.all(systems.map((system) => this.#forget(system)));
    await Promise.all(vhosts.map(async (vhost) => vhost?.close()));
  }

  async #forget(system: MessageQueueSystem): Promise<AmqpVhost | undefined> {
    const made = this.#made.get(system);
    this.#made.delete(system);
    return made?.catch(() => undefined);
  }
}
