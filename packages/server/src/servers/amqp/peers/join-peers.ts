import type { BrokerPort, MessageQueueSystem } from 'wherry';
import { orphanedQueues, removeTransient } from '../definitions/leftovers.ts';
import type { QueueRegistry } from '../definitions/queue-registry.ts';
import type { Peers } from './peers.ts';
import type { SharedConsumers } from './shared-consumers.ts';

export interface JoinPeersParts {
  readonly shared: SharedConsumers;
  readonly mq: MessageQueueSystem;
  readonly port: BrokerPort;
  readonly queues: QueueRegistry;
}

/**
 * Begins to serve a virtual host beside the other brokers on its store, and to see to what those
 * that die leave behind.
 * @throws StorageError
 */
export async function joinPeers(
  peers: Peers,
  { shared, mq, port, queues }: JoinPeersParts,
): Promise<void> {
  const clear = async (): Promise<void> => {
    await shared.clear(
      (name) => port.findQueue(name),
      (name) => queues.discardAll([name]),
    );
    const orphaned = (): readonly string[] => orphanedQueues(port, (owner) => peers.has(owner));
    if (orphaned().length === 0) return;
    // A broker that has come a moment ago may not be known here, though its queues are.
    await peers.refresh();
    await queues.discardAll(orphaned());
  };
  const follower = {
    look: async (hasDeparted: boolean): Promise<void> => {
      await shared.settle();
      if (hasDeparted) await clear();
    },
    changed: () => shared.changed(),
    returning: () => shared.resign(),
    returned: () => shared.rejoin(),
  };
  await peers.begin(follower, async () => {
    await shared.clearAll();
    await removeTransient(mq, port);
  });
}
