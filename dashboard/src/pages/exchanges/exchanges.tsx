import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../../api/client.ts';
import { refreshAll } from '../../api/connection.ts';
import type { Binding, Bindings, Exchange, Exchanges } from '../../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../../api/use-resource.ts';
import { BindingGraph } from '../../components/binding-graph.tsx';
import { Confirm } from '../../components/dialog.tsx';
import { Page } from '../../components/page.tsx';
import { apiBase, Empty, Example, Loaded } from '../../components/states.tsx';
import { type Column, Table } from '../../components/table.tsx';
import { attempt, tell } from '../../components/toasts.tsx';
import { link } from '../../router.ts';
import { CreateBinding } from './create-binding.tsx';
import { CreateExchange } from './create-exchange.tsx';

export function ExchangesPage(): JSX.Element {
  const exchanges = useResource<Exchanges>(inVhost('exchanges'), SLOW_POLL_MS);
  const bindings = useResource<Bindings>(inVhost('bindings'), SLOW_POLL_MS);
  const [asked, setAsked] = useState<'exchange' | 'binding' | null>(null);
  const list = exchanges.data?.exchanges ?? [];
  const bound = bindings.data?.bindings ?? [];
  return (
    <Page
      title="Exchanges"
      actions={
        <>
          <button type="button" disabled={list.length === 0} onClick={() => setAsked('binding')}>
            New binding
          </button>
          <button type="button" class="primary" onClick={() => setAsked('exchange')}>
            New exchange
          </button>
        </>
      }
    >
      <Loaded of={exchanges}>
        {() =>
          list.length === 0 ? (
            <NoExchanges />
          ) : (
            <>
              <BindingGraph exchanges={list} bindings={bound} />
              <div class="columns">
                <ExchangeTable exchanges={list} />
                <BindingTable bindings={bound} />
              </div>
            </>
          )
        }
      </Loaded>
      {asked === 'exchange' && <CreateExchange onClose={() => setAsked(null)} />}
      {asked === 'binding' && <CreateBinding exchanges={list} onClose={() => setAsked(null)} />}
    </Page>
  );
}

function NoExchanges(): JSX.Element {
  return (
    <Empty title="There are no exchanges">
      <p>An exchange hands each message to the queues that are bound to it. Create one here, or:</p>
      <Example
        code={`curl -X PUT -d '{"type":"topic"}' -H 'content-type: application/json' \\\n  ${apiBase()}/exchanges/events`}
      />
    </Empty>
  );
}

function ExchangeTable({ exchanges }: { readonly exchanges: readonly Exchange[] }): JSX.Element {
  const [doomed, setDoomed] = useState<string | null>(null);
  const columns: readonly Column<Exchange>[] = [
    { key: 'name', title: 'Exchange', cell: ({ name }) => <span class="name">{name}</span> },
    { key: 'type', title: 'Type', cell: ({ type }) => <span class="tag">{type}</span> },
    {
      key: 'alternate',
      title: 'Else to',
      cell: ({ alternateExchange }) => <span class="name">{alternateExchange ?? ''}</span>,
      wide: true,
    },
    {
      key: 'actions',
      title: 'Actions',
      cell: ({ name }) => (
        <button type="button" class="small danger-text" onClick={() => setDoomed(name)}>
          Delete…<span class="unseen"> {name}</span>
        </button>
      ),
      align: 'right',
    },
  ];
  const remove = async (): Promise<void> => {
    await send('DELETE', inVhost('exchanges', doomed!));
    tell(`Exchange ${doomed} is deleted`);
  };
  return (
    <section>
      <h2>Exchanges</h2>
      <Table caption="Exchanges" columns={columns} rows={exchanges} rowKey={({ name }) => name} />
      {doomed !== null && (
        <Confirm
          title="Delete the exchange"
          text="The exchange and the bindings from and to it will be gone."
          typed={doomed}
          action="Delete"
          onConfirm={remove}
          onClose={() => setDoomed(null)}
        />
      )}
    </section>
  );
}

function BindingTable({ bindings }: { readonly bindings: readonly Binding[] }): JSX.Element {
  const columns: readonly Column<Binding>[] = [
    { key: 'from', title: 'From', cell: ({ exchange }) => <span class="name">{exchange}</span> },
    { key: 'key', title: 'Routing key', cell: (binding) => <code>{conditionOf(binding)}</code> },
    {
      key: 'to',
      title: 'To',
      cell: ({ destination: { type, name } }) =>
        type === 'queue' ? (
          <a class="name" href={link('queues', name)}>
            {name}
          </a>
        ) : (
          <span class="name">{name}</span>
        ),
    },
    {
      key: 'actions',
      title: 'Actions',
      cell: (binding) => (
        <button type="button" class="small danger-text" onClick={() => void unbind(binding)}>
          Unbind
          <span class="unseen">
            {' '}
            {binding.destination.name} from {binding.exchange}
          </span>
        </button>
      ),
      align: 'right',
    },
  ];
  return (
    <section>
      <h2>Bindings</h2>
      {bindings.length === 0 ? (
        <Empty title="Nothing is bound: what is published goes nowhere" />
      ) : (
        <Table
          caption="Bindings"
          columns={columns}
          rows={bindings}
          rowKey={(binding) => JSON.stringify(binding)}
        />
      )}
    </section>
  );
}

function conditionOf({ routingKey, headers, match }: Binding): string {
  if (headers === null) return routingKey;
  const wanted = Object.entries(headers).map(([name, value]) => `${name}=${String(value)}`);
  return `${match}: ${wanted.join(', ')}`;
}

async function unbind(binding: Binding): Promise<void> {
  const { exchange, destination, routingKey, headers, match } = binding;
  const { type, name } = destination;
  const body = {
    exchange,
    ...(type === 'queue' ? { queue: name } : { destinationExchange: name }),
    routingKey,
    ...(headers === null ? {} : { headers, match }),
  };
  await attempt(() => send('DELETE', inVhost('bindings'), body), `${name} is unbound`);
  refreshAll();
}
