import type { Broker } from '../../src/index.ts';
import { clientOf, type Client } from '../http/client.ts';
import { startBroker } from '../broker.ts';
import { basic } from '../access/fixture.ts';

/** A broker that serves AMQP, too: the management API declares by its rules. */
export function startBoth(config: Parameters<typeof startBroker>[0] = {}): Promise<Broker> {
  return startBroker({ amqp: { enabled: true, port: 0 }, ...config });
}

/** Asks the management API as somebody; each answer is held against what its route says. */
export function managementOf(broker: Broker, user?: string, password = ''): Client {
  const ask = clientOf(broker, '/api');
  if (user === undefined) return ask;
  const authorization = basic(user, password);
  return (method, path, options = {}) =>
    ask(method, path, { ...options, headers: { authorization, ...options.headers } });
}
