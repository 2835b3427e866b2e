import { startPostgres } from '../../../../wherry/test/servers/postgres.ts';
import { startRedis } from '../../../../wherry/test/servers/redis.ts';

export interface SharedStore {
  readonly url: string;
  stop(): Promise<void>;
}

/** The stores that several brokers can have open. */
export const STORES: Readonly<Record<string, () => Promise<SharedStore>>> = {
  redis: startRedis,
  postgres: startPostgres,
};
