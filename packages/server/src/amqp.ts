import { randomBytes } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { BrokerConfig } from './config/config.ts';
import { describeListenError } from './listen-error.ts';
import { createChannel } from './servers/amqp/channel.ts';
import { type AmqpPorts, AmqpServer } from './servers/amqp/listener.ts';
import { makeVhost } from './servers/amqp/vhost.ts';
import type { BrokerContext } from './servers/http/context.ts';
import { readPem } from './servers/http/tls.ts';
import { DEFAULT_VHOST } from './vhosts/virtual-hosts.ts';

/** @returns the AMQP server of a broker, which does not listen yet; null: the configuration wants none */
export function makeAmqp(broker: Omit<BrokerContext, 'amqp'>): AmqpServer | null {
  const { config, telemetry, tls } = broker;
  if (!config.amqp.enabled) return null;
  const { version, access, vhosts } = broker;
  const instance = randomBytes(6).toString('hex');
  const { logger } = telemetry;
  const server = new AmqpServer({
    context: { version, instance, config, logger, access, telemetry, vhosts },
    createChannel,
    makeVhost,
    tls: tls && amqpTls(config, tls),
  });
  const { connections } = server;
  telemetry.metrics.watch('amqp_connections', 'Open AMQP connections', () => connections.size);
  telemetry.metrics.watch('amqp_channels', 'Open AMQP channels', () => connections.channels);
  return server;
}

/** @returns the certificate, and the authorities whose clients' certificates are a login */
export function amqpTls({ amqp }: BrokerConfig, tls: SecureContextOptions): SecureContextOptions {
  if (amqp.clientCa === undefined) return tls;
  return { ...tls, ca: readPem(amqp.clientCa, 'amqp.clientCa') };
}

/** @throws ConfigError when a port of the configuration cannot be had; StorageError */
export async function listenForAmqp(
  server: AmqpServer | null,
  { host, amqp }: BrokerConfig,
): Promise<AmqpPorts | null> {
  if (server === null) return null;
  // Whoever connects finds what every virtual host has.
  await server.vhosts.open(DEFAULT_VHOST);
  try {
    return await server.listen();
  } catch (error) {
    const { port: taken } = error as { port?: number };
    const isTls = taken === amqp.tlsPort && taken !== amqp.port;
    throw describeListenError(error, {
      host,
      key: isTls ? 'amqp.tlsPort' : 'amqp.port',
      port: taken ?? amqp.port,
      remedy: 'give another port, or amqp.enabled: false',
    });
  }
}
