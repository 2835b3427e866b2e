import type { MessageQueueSystem } from 'wherry';
import { type HostedClient, hostStore, type StoreHost } from 'wherry/remote';
import { ACCESS_KINDS } from '../../access/documents.ts';

/** Serves the stores of virtual hosts to programs that have them open over the remote driver. */
export class StoreHosts {
  readonly #hosts = new Map<MessageQueueSystem, StoreHost>();

  /** @returns the one host of a system's store */
  of(mq: MessageQueueSystem): StoreHost {
    let host = this.#hosts.get(mq);
    if (host === undefined) {
      // Who may do what is nobody's business but the broker's.
      host = hostStore(mq, { hiddenKinds: Object.values(ACCESS_KINDS) });
      this.#hosts.set(mq, host);
    }
    return host;
  }

  /** Those that have a store open, or may come back to it. */
  clients(mq: MessageQueueSystem): HostedClient[] {
    return this.#hosts.get(mq)?.clients() ?? [];
  }

  /** Serves a system no more, before it closes. */
  async forget(mq: MessageQueueSystem): Promise<void> {
    const host = this.#hosts.get(mq);
    this.#hosts.delete(mq);
    await host?.close();
  }

  /** Answers what is under way, and closes all connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#hosts.keys()].map((mq) => this.forget(mq)));
  }
}
