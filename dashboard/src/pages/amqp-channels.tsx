import type { JSX } from 'preact';
import type { AmqpChannel, AmqpConnection, ConnectionInfo } from '../api/types.ts';
import { type Column, Table } from '../components/table.tsx';
import { formatCount } from '../format.ts';

/** What AMQP connections are divided into. */
export function AmqpChannels({
  connections,
}: {
  connections: readonly ConnectionInfo[];
}): JSX.Element | null {
  const rows = connections.flatMap(({ id, amqp }) =>
    (amqp?.channels ?? []).map((channel) => ({ connection: id, amqp: amqp!, channel })),
  );
  if (rows.length === 0) return null;
  return (
    <section>
      <h2>AMQP channels</h2>
      <Table
        caption="AMQP channels"
        columns={CHANNELS}
        rows={rows}
        rowKey={({ connection, channel }) => `${connection} ${channel.number}`}
      />
    </section>
  );
}

interface ChannelRow {
  readonly connection: string;
  readonly amqp: AmqpConnection;
  readonly channel: AmqpChannel;
}

const CHANNELS: readonly Column<ChannelRow>[] = [
  {
    key: 'channel',
    title: 'Channel',
    cell: ({ connection, amqp, channel }) => (
      <span class="name strong">
        {amqp.name ?? connection} ({channel.number})
      </span>
    ),
  },
  {
    key: 'vhost',
    title: 'Virtual host',
    cell: ({ amqp }) => <span class="name">{amqp.vhost}</span>,
    wide: true,
  },
  {
    key: 'consumers',
    title: 'Consumers',
    cell: ({ channel }) => formatCount(channel.consumers),
    align: 'right',
  },
  {
    key: 'prefetch',
    title: 'Prefetch',
    cell: ({ channel: { prefetch, globalPrefetch } }) =>
      globalPrefetch === 0
        ? formatPrefetch(prefetch)
        : `${formatPrefetch(prefetch)}, ${formatCount(globalPrefetch)} in all`,
    align: 'right',
  },
  {
    key: 'unacknowledged',
    title: 'Unacknowledged',
    cell: ({ channel }) => formatCount(channel.unacknowledged),
    align: 'right',
  },
  {
    key: 'unconfirmed',
    title: 'Unconfirmed',
    cell: ({ channel }) => formatCount(channel.unconfirmed),
    align: 'right',
    wide: true,
  },
  {
    key: 'mode',
    title: 'Publishes with',
    cell: ({ channel: { isConfirm, isTransactional } }) =>
      isConfirm ? 'confirms' : isTransactional ? 'transactions' : '',
    wide: true,
  },
];

export function formatPrefetch(prefetch: number): string {
  return prefetch === 0 ? 'any' : formatCount(prefetch);
}
