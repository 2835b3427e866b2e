import type { JSX } from 'preact';
import { global, inVhost, send } from '../api/client.ts';
import { refreshAll } from '../api/connection.ts';
import { identity } from '../api/session.ts';
import type { ConnectionInfo, Connections, ConsumerInfo, Consumers } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { Page } from '../components/page.tsx';
import { Empty, Example, Loaded, apiBase } from '../components/states.tsx';
import { type Column, Table } from '../components/table.tsx';
import { attempt } from '../components/toasts.tsx';
import { formatBytes, formatCount, formatRelative } from '../format.ts';
import { link } from '../router.ts';
import { AmqpChannels, formatPrefetch } from './amqp-channels.tsx';

const CONSUMERS: readonly Column<ConsumerInfo>[] = [
  {
    key: 'consumer',
    title: 'Consumer',
    cell: ({ consumer }) => <span class="name strong">{consumer}</span>,
  },
  {
    key: 'queue',
    title: 'Queue',
    cell: ({ queue }) => (
      <a class="name" href={link('queues', queue)}>
        {queue}
      </a>
    ),
  },
  { key: 'kind', title: 'Kind', cell: ({ kind }) => <span class="tag">{kind}</span>, wide: true },
  {
    key: 'from',
    title: 'From',
    cell: ({ user, remoteAddress }) => (
      <span class="name">{[user, remoteAddress].filter(Boolean).join(' at ')}</span>
    ),
    wide: true,
  },
  {
    key: 'held',
    title: 'Holds',
    cell: ({ held }) => (held === null ? '–' : formatCount(held)),
    align: 'right',
  },
  {
    key: 'credit',
    title: 'Takes yet',
    cell: ({ credit }) => (credit === null ? '–' : formatCount(credit)),
    align: 'right',
    wide: true,
  },
  {
    key: 'prefetch',
    title: 'Prefetch',
    cell: ({ prefetch }) => (prefetch === null ? '–' : formatPrefetch(prefetch)),
    align: 'right',
    wide: true,
  },
  {
    key: 'since',
    title: 'Since',
    cell: ({ since }) => <time>{since === null ? '' : formatRelative(since)}</time>,
    wide: true,
  },
];

export function ClientsPage(): JSX.Element {
  const consumers = useResource<Consumers>(inVhost('consumers'));
  return (
    <Page title="Clients">
      <section>
        <h2>Consumers</h2>
        <Loaded of={consumers}>
          {({ consumers: rows }) =>
            rows.length === 0 ? (
              <NoConsumers />
            ) : (
              <Table
                caption="Consumers"
                columns={CONSUMERS}
                rows={rows}
                rowKey={({ id, queue }) => `${id} ${queue}`}
              />
            )
          }
        </Loaded>
      </section>
      {identity.value?.admin === true && <ConnectionList />}
    </Page>
  );
}

function NoConsumers(): JSX.Element {
  return (
    <Empty title="Nobody waits for messages here">
      <p>Who asks for messages or has them pushed appears here. Try it in a terminal:</p>
      <Example
        code={`curl -d '{"wait":"20s"}' -H 'content-type: application/json' \\\n  ${apiBase()}/queues/orders/receive`}
      />
    </Empty>
  );
}

function ConnectionList(): JSX.Element {
  const connections = useResource<Connections>(global('connections'));
  return (
    <section>
      <h2>Connections</h2>
      <Loaded of={connections}>
        {({ connections: rows }) =>
          rows.length === 0 ? (
            <Empty title="There are no connections" />
          ) : (
            <>
              <Table
                caption="Connections"
                columns={CONNECTIONS}
                rows={rows}
                rowKey={({ id }) => id}
              />
              <AmqpChannels connections={rows} />
            </>
          )
        }
      </Loaded>
    </section>
  );
}

const CONNECTIONS: readonly Column<ConnectionInfo>[] = [
  {
    key: 'from',
    title: 'From',
    cell: ({ remoteAddress, remotePort }) => (
      <code>
        {remoteAddress}:{remotePort}
      </code>
    ),
  },
  {
    key: 'protocol',
    title: 'Protocol',
    cell: ({ protocol, amqp }) => (
      <span class="tag">
        {amqp === null || amqp.state === 'running' ? protocol : `${protocol}, ${amqp.state}`}
      </span>
    ),
  },
  { key: 'user', title: 'User', cell: ({ user }) => <span class="name">{user ?? ''}</span> },
  {
    key: 'agent',
    title: 'Program',
    cell: ({ userAgent, amqp }) => (
      <span class="name agent">{[amqp?.name, userAgent].filter(Boolean).join(', ')}</span>
    ),
    wide: true,
  },
  {
    key: 'requests',
    title: 'Requests',
    cell: ({ requests, amqp }) => (amqp === null ? formatCount(requests) : '–'),
    align: 'right',
    wide: true,
  },
  {
    key: 'bytes',
    title: 'In, out',
    cell: ({ bytesReceived, bytesSent }) =>
      `${formatBytes(bytesReceived)}, ${formatBytes(bytesSent)}`,
    align: 'right',
    wide: true,
  },
  {
    key: 'since',
    title: 'Since',
    cell: ({ since }) => <time>{formatRelative(since)}</time>,
    wide: true,
  },
  {
    key: 'actions',
    title: 'Actions',
    cell: ({ id, remoteAddress, remotePort }) => (
      <button type="button" class="small danger-text" onClick={() => void disconnect(id)}>
        Close
        <span class="unseen">
          {' '}
          {remoteAddress}:{remotePort}
        </span>
      </button>
    ),
    align: 'right',
  },
];

async function disconnect(id: string): Promise<void> {
  await attempt(() => send('DELETE', global('connections', id)), 'The connection is closed');
  refreshAll();
}
