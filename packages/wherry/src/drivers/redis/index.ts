import type { Driver } from '../../core/driver.ts';
import { RedisDriver } from './driver.ts';
import type { RedisDriverOptions } from './options.ts';

export type { RedisNode } from './address.ts';
export type { RedisClient, RedisDriverOptions } from './options.ts';

/**
 * A store that many processes share: Redis >= 6.2, single, behind sentinels, or a cluster. What
 * survives a crash of the server is up to its settings: see docs/redis.md.
 * @throws ValidationError when an option is wrong
 */
export function createRedisDriver(options: RedisDriverOptions = {}): Driver {
  return new RedisDriver(options);
}
