/** An AMQP server without HTTP beside it, for tests that reach behind the socket. */
import type { TestContext } from 'node:test';
import type { BrokerConfigInput } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { createChannel } from '../../../src/servers/amqp/messages/channel.ts';
import type { CreateChannel } from '../../../src/servers/amqp/contracts.ts';
import { AmqpServer, type AmqpServerParts } from '../../../src/servers/amqp/connection/listener.ts';
import { makeVhost } from '../../../src/servers/amqp/definitions/vhost.ts';
import { openState, type State } from '../../../src/state.ts';
import { AmqpTraffic } from '../../../src/telemetry/amqp-traffic.ts';
import { createTelemetry } from '../../../src/telemetry/telemetry.ts';
import { CHEAP } from '../../broker.ts';

export interface AmqpFixture {
  readonly server: AmqpServer;
  readonly state: State;
  readonly port: number;
}

export async function startAmqp(
  t: TestContext,
  input: BrokerConfigInput = {},
  create: CreateChannel = createChannel,
  parts: Pick<AmqpServerParts, 'stallMax'> = {},
): Promise<AmqpFixture> {
  const config = parseConfig({
    store: 'memory:',
    log: { level: 'silent' },
    ...input,
    amqp: { port: 0, ...input.amqp },
  });
  const state = await openState(config, { cost: CHEAP });
  const { vhosts, access } = state;
  const telemetry = createTelemetry(config, { vhosts, version: '0' });
  const { logger } = telemetry;
  const traffic = new AmqpTraffic();
  const server = new AmqpServer({
    context: { version: '0', instance: 'test', config, logger, access, telemetry, traffic, vhosts },
    createChannel: create,
    makeVhost,
    ...parts,
  });
  t.after(async () => {
    await server.close(0);
    await state.close(0);
  });
  await vhosts.open({ opened: () => {}, failed: () => {} });
  const { port } = await server.listen();
  return { server, state, port };
}
