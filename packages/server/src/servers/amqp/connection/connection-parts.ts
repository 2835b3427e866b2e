import type { Socket } from 'node:net';
import type { AmqpContext, CreateChannel } from '../contracts.ts';
import type { AmqpVhosts } from './amqp-vhosts.ts';
import type { PublishBudget } from './publish-budget.ts';

/** What a connection works with. */
export interface ConnectionParts {
  readonly id: string;
  readonly socket: Socket;
  readonly broker: AmqpContext;
  readonly vhosts: AmqpVhosts;
  readonly budget: PublishBudget;
  readonly createChannel: CreateChannel;
  /** Why nobody may publish for now; null: everybody may. */
  readonly alarm: string | null;
  /** How long a client that is not read any more may read nothing, in milliseconds. */
  readonly stallMax: number;
  /** The socket has closed, and nothing of the connection is left. */
  readonly ended: (id: string) => void;
}
