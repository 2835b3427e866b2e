import type { AmqpChannel, AmqpConnection, AmqpConsumer } from './amqp-side.ts';
import type { Row } from './listing.ts';

/** Where the broker's end of a connection is. */
export interface Listener {
  readonly host: string;
  readonly port: number | null;
  readonly tlsPort: number | null;
  readonly node: string;
}

/** What RabbitMQ calls a connection: both its ends. */
export function connectionName(
  connection: AmqpConnection,
  { host, port, tlsPort }: Listener,
): string {
  const { remoteAddress, remotePort, tls } = connection;
  const own = `${host}:${(tls === null ? port : tlsPort) ?? 0}`;
  return `${remoteAddress}:${remotePort} -> ${own}`;
}

/** A connection as `GET /api/connections` shows it. */
export function connectionRow(connection: AmqpConnection, listener: Listener): Row {
  const { name, product, version, tls } = connection;
  return {
    name: connectionName(connection, listener),
    // Ours: it is shorter, and serves in a path as well.
    id: connection.id,
    user_provided_name: name,
    type: 'network',
    protocol: 'AMQP 0-9-1',
    node: listener.node,
    vhost: connection.vhost,
    user: connection.user,
    state: connection.state,
    channels: connection.channels.length,
    host: listener.host,
    port: tls === null ? listener.port : listener.tlsPort,
    peer_host: connection.remoteAddress,
    peer_port: connection.remotePort,
    connected_at: connection.since,
    timeout: connection.heartbeat,
    frame_max: connection.frameMax,
    ssl: tls !== null,
    ssl_protocol: tls?.protocol ?? null,
    ssl_cipher: tls?.cipher ?? null,
    client_properties: {
      ...(name !== null && { connection_name: name }),
      ...(product !== null && { product }),
      ...(version !== null && { version }),
    },
    recv_oct: connection.bytesReceived,
    send_oct: connection.bytesSent,
  };
}

/** A channel as `GET /api/channels` shows it. */
export function channelRow(
  channel: AmqpChannel,
  connection: AmqpConnection,
  listener: Listener,
): Row {
  return {
    name: `${connectionName(connection, listener)} (${channel.number})`,
    number: channel.number,
    node: listener.node,
    vhost: connection.vhost,
    user: connection.user,
    state: 'running',
    connection_details: connectionDetails(connection, listener),
    consumer_count: channel.consumers,
    prefetch_count: channel.prefetch,
    global_prefetch_count: channel.globalPrefetch,
    messages_unacknowledged: channel.unacknowledged,
    messages_unconfirmed: channel.unconfirmed,
    confirm: channel.isConfirm,
    transactional: channel.isTransactional,
  };
}

/** A consumer as `GET /api/consumers` shows it. */
export function consumerRow(
  consumer: AmqpConsumer,
  {
    connection,
    vhost,
  }: { readonly connection: AmqpConnection | undefined; readonly vhost: string },
  listener: Listener,
): Row {
  const details =
    connection === undefined
      ? {}
      : {
          ...connectionDetails(connection, listener),
          connection_name: connectionName(connection, listener),
          name: `${connectionName(connection, listener)} (${consumer.channel})`,
          user: connection.user,
        };
  return {
    consumer_tag: consumer.tag,
    queue: { name: consumer.queue, vhost },
    channel_details: { ...details, number: consumer.channel, node: listener.node },
    ack_required: consumer.acknowledges,
    prefetch_count: consumer.prefetch,
    // Ours: RabbitMQ tells it of channels only.
    messages_unacknowledged: consumer.unacknowledged,
    exclusive: consumer.exclusive,
    active: consumer.isActive,
    activity_status: consumer.isActive ? 'up' : 'waiting',
    arguments: consumer.arguments,
  };
}

function connectionDetails(connection: AmqpConnection, listener: Listener): Row {
  return {
    name: connectionName(connection, listener),
    peer_host: connection.remoteAddress,
    peer_port: connection.remotePort,
  };
}
