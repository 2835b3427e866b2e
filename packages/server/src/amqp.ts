import { randomBytes } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { BrokerConfig } from './config/config.ts';
import { describeListenError } from './listen-error.ts';
import { createChannel } from './servers/amqp/messages/channel.ts';
import { type AmqpPorts, AmqpServer } from './servers/amqp/connection/listener.ts';
import { makeVhost } from './servers/amqp/definitions/vhost.ts';
import type { AmqpChannel } from './protocols/management/amqp-side.ts';
import type { BrokerContext } from './servers/http/context.ts';
import { readPem } from './servers/http/tls.ts';
import { AmqpTraffic } from './telemetry/amqp-traffic.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { DEFAULT_VHOST } from './vhosts/virtual-hosts.ts';

/** @returns the AMQP server of a broker, which does not listen yet; null: the configuration wants none */
export function makeAmqp(broker: Omit<BrokerContext, 'amqp'>): AmqpServer | null {
  const { config, telemetry, tls } = broker;
  if (!config.amqp.enabled) return null;
  const { version, access, vhosts } = broker;
  const instance = randomBytes(6).toString('hex');
  const { logger } = telemetry;
  const traffic = new AmqpTraffic();
  const server = new AmqpServer({
    context: { version, instance, config, logger, access, telemetry, traffic, vhosts },
    createChannel,
    makeVhost,
    tls: tls && amqpTls(config, tls),
  });
  broker.alarms.watch({
    raised: ({ kind, reason }) => server.block(kind, reason),
    cleared: (kind) => server.unblock(kind),
  });
  watchClients(server.connections, telemetry.metrics);
  watchTraffic(traffic, telemetry.metrics);
  return server;
}

function watchClients(connections: AmqpServer['connections'], metrics: Metrics): void {
  metrics.watch('amqp_connections', 'Open AMQP connections', () => connections.size);
  metrics.watch('amqp_channels', 'Open AMQP channels', () => connections.channels);
  const sum = (of: (channel: AmqpChannel) => number): number =>
    connections
      .list()
      .flatMap(({ channels }) => channels)
      .reduce((total, channel) => total + of(channel), 0);
  metrics.watch('amqp_consumers', 'AMQP consumers', () => sum(({ consumers }) => consumers));
  metrics.watch('amqp_unacknowledged', 'Messages that AMQP clients have in hand', () =>
    sum(({ unacknowledged }) => unacknowledged),
  );
}

function watchTraffic(traffic: AmqpTraffic, metrics: Metrics): void {
  const counted = {
    published: 'Messages that AMQP clients sent, whether or not they reached a queue',
    confirmed: 'Messages whose AMQP publisher was told that they are stored',
    returned: 'Mandatory messages that went back to their AMQP publisher',
    delivered: 'Messages handed to AMQP clients, redeliveries included',
  } as const;
  for (const [name, help] of Object.entries(counted)) {
    metrics.watchCount(`amqp_${name}_total`, help, () => traffic[name as keyof typeof counted]);
  }
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
