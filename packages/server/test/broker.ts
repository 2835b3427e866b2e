import type { ScryptCost } from '../src/access/passwords.ts';
import { type Broker, type BrokerConfigInput, serve, type ServeOptions } from '../src/index.ts';

/** What passwords cost in tests: their hash says it, so they are checked like dear ones. */
export const CHEAP: ScryptCost = { N: 2 ** 10, r: 8, p: 1 };

/** A broker for a test: in memory, on a free port, without AMQP. The caller closes it. */
export function startBroker(
  config: BrokerConfigInput = {},
  options: ServeOptions = {},
): Promise<Broker> {
  const quiet = {
    store: 'memory:',
    port: 0,
    amqp: { enabled: false },
    log: { level: 'silent' },
  } as const;
  return serve({ ...quiet, ...config }, { passwords: { cost: CHEAP }, ...options });
}
