import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../api/client.ts';
import type { QueueInfo, QueuePage } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { Dialog } from '../components/dialog.tsx';
import { FormProblem, Submit, TextField, useSubmit } from '../components/form.tsx';
import { Page } from '../components/page.tsx';
import { SettingsFields } from '../components/settings-fields.tsx';
import { Sparkline } from '../components/sparkline.tsx';
import { apiBase, Empty, Example, Loaded } from '../components/states.tsx';
import { type Column, type Order, Table } from '../components/table.tsx';
import { tell } from '../components/toasts.tsx';
import { formatBytes, formatCount, formatAge, formatRate, plural } from '../format.ts';
import { link, navigate, vhost } from '../router.ts';
import { depthsOf, sample } from '../samples.ts';
import { changesBetween, type Texts } from '../settings.ts';

const PAGE = 200;
/** More the broker does not list at once: a filter finds the others. */
const LIMIT_MAX = 1_000;

const COLUMNS: readonly Column<QueueInfo>[] = [
  { key: 'name', title: 'Queue', cell: (queue) => <QueueName queue={queue} />, sortable: true },
  {
    key: 'depth',
    title: 'Last minutes',
    cell: ({ name }) => <Sparkline values={depthsOf(vhost.value, name)} />,
    wide: true,
  },
  count('ready', 'Ready'),
  { ...count('scheduled', 'Scheduled'), wide: true },
  { ...count('leased', 'In flight'), wide: true },
  {
    key: 'in',
    title: 'In',
    cell: ({ rates }) => formatRate(rates.enqueued),
    align: 'right',
    wide: true,
  },
  {
    key: 'out',
    title: 'Out',
    cell: ({ rates }) => formatRate(rates.acknowledged),
    align: 'right',
    wide: true,
  },
  {
    key: 'oldestAge',
    title: 'Oldest',
    cell: ({ oldestAge }) => (oldestAge === null ? '–' : formatAge(oldestAge)),
    align: 'right',
    sortable: true,
  },
  {
    key: 'bytes',
    title: 'Size',
    cell: ({ bytes }) => formatBytes(bytes),
    align: 'right',
    wide: true,
    sortable: true,
  },
  {
    key: 'consumers',
    title: 'Consumers',
    cell: ({ consumerCount }) => formatCount(consumerCount),
    align: 'right',
    wide: true,
  },
];

function count(key: 'ready' | 'scheduled' | 'leased', title: string): Column<QueueInfo> {
  return {
    key,
    title,
    cell: (queue) => <span class={queue[key] === 0 ? 'zero' : ''}>{formatCount(queue[key])}</span>,
    align: 'right',
    sortable: true,
  };
}

function QueueName({ queue }: { readonly queue: QueueInfo }): JSX.Element {
  return (
    <>
      <a class="name" href={link('queues', queue.name)}>
        {queue.name}
      </a>
      {queue.settings.paused && <span class="tag warn">paused</span>}
    </>
  );
}

export function QueuesPage(): JSX.Element {
  const [filter, setFilter] = useState('');
  const [order, setOrder] = useState<Order>({ key: 'name', descending: false });
  const [limit, setLimit] = useState(PAGE);
  const [isCreating, setCreating] = useState(false);
  const query = new URLSearchParams({
    sort: order.key,
    order: order.descending ? 'desc' : 'asc',
    limit: String(limit),
    ...(filter === '' ? {} : { name: filter }),
  });
  const queues = useResource<QueuePage>(`${inVhost('queues')}?${query}`);
  if (queues.data !== null) sample(vhost.value, queues.data.queues);
  return (
    <Page
      title="Queues"
      actions={
        <button type="button" class="primary" onClick={() => setCreating(true)}>
          New queue
        </button>
      }
    >
      <div class="toolbar">
        <input
          type="search"
          aria-label="Filter by name"
          placeholder="Filter by name"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="faint" aria-live="polite">
          {queues.data !== null && plural(queues.data.total, 'queue')}
        </span>
      </div>
      <Loaded of={queues}>
        {({ queues: rows, total }) =>
          rows.length === 0 ? (
            <NoQueues filter={filter} />
          ) : (
            <>
              <Table
                caption="Queues"
                columns={COLUMNS}
                rows={rows}
                rowKey={({ name }) => name}
                order={order}
                onOrder={setOrder}
              />
              {total > rows.length && limit < LIMIT_MAX && (
                <button type="button" class="more" onClick={() => setLimit(limit + PAGE)}>
                  Show more ({formatCount(total - rows.length)} left)
                </button>
              )}
            </>
          )
        }
      </Loaded>
      {isCreating && <CreateQueue onClose={() => setCreating(false)} />}
    </Page>
  );
}

function NoQueues({ filter }: { readonly filter: string }): JSX.Element {
  if (filter !== '') {
    return <Empty title={`No queue has “${filter}” in its name`} />;
  }
  return (
    <Empty title="There are no queues yet">
      <p>Create one here, or from a terminal, or in a program:</p>
      <Example code={`curl -X PUT ${apiBase()}/queues/orders`} />
      <Example code={`await mq.createQueue({ name: 'orders' });`} />
    </Empty>
  );
}

function CreateQueue({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [texts, setTexts] = useState<Texts>(NEW);
  const { submit, problem, isBusy } = useSubmit(async () => {
    await send('PUT', inVhost('queues', name), changesBetween(NEW, texts));
    tell(`Queue ${name} is there`);
    onClose();
    navigate(link('queues', name));
  });
  return (
    <Dialog title="New queue" wide onClose={onClose}>
      <form onSubmit={submit}>
        <TextField label="Name" value={name} onChange={setName} required />
        <details class="more-fields" open={problem !== null}>
          <summary>Settings</summary>
          <p class="faint">What stays empty is the default.</p>
          <SettingsFields texts={texts} onChange={setTexts} problem={problem} isNew />
        </details>
        <FormProblem problem={problem} />
        <footer class="dialog-foot">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <Submit isBusy={isBusy}>Create</Submit>
        </footer>
      </form>
    </Dialog>
  );
}

const NEW: Texts = { overflow: 'reject', durable: 'true' };
