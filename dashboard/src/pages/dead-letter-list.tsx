import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost } from '../api/client.ts';
import type { DeadLetterGroup, MessagePage, StoredMessage } from '../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../api/use-resource.ts';
import { Dialog } from '../components/dialog.tsx';
import { MessageDetails } from '../components/message-details.tsx';
import { Pager } from '../components/pager.tsx';
import { RedriveDialog } from '../components/redrive-dialog.tsx';
import { Empty, Loaded } from '../components/states.tsx';
import { type Column, Table } from '../components/table.tsx';
import { formatRelative } from '../format.ts';
import { preview } from '../preview.ts';

const LIMIT = 100;

/** The dead letters of one queue and reason, to look at and to choose from. */
export function DeadLetterList({ group }: { readonly group: DeadLetterGroup }): JSX.Element {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [opened, setOpened] = useState<StoredMessage | null>(null);
  const [isAsked, setAsked] = useState(false);
  const query = new URLSearchParams({ queue: group.deadLetterQueue, limit: String(LIMIT) });
  const cursor = cursors.at(-1);
  if (cursor !== undefined) query.set('cursor', cursor);
  const page = useResource<MessagePage>(`${inVhost('dead-letters')}?${query}`, SLOW_POLL_MS);
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  return (
    <section class="card" aria-label={`Dead letters of ${group.queue ?? 'unknown'}`}>
      <header class="toolbar">
        <h2>
          <span class="name">{group.queue ?? 'unknown'}</span>{' '}
          <span class="tag warn">{group.reason ?? 'unknown'}</span>
        </h2>
        <button type="button" disabled={chosen.size === 0} onClick={() => setAsked(true)}>
          Redrive chosen…
        </button>
      </header>
      <Loaded of={page}>
        {({ messages, cursor: next }) => (
          <>
            <Letters
              letters={messages.filter((message) => isOf(message, group))}
              columns={columns(chosen, toggle, setOpened)}
            />
            <Pager cursors={cursors} next={next} onTurn={setCursors} />
          </>
        )}
      </Loaded>
      {opened !== null && (
        <Dialog title="Dead letter" wide onClose={() => setOpened(null)}>
          <MessageDetails message={opened} />
        </Dialog>
      )}
      {isAsked && (
        <RedriveDialog
          selections={[{ from: group.deadLetterQueue, ids: [...chosen] }]}
          count={chosen.size}
          onClose={() => {
            setAsked(false);
            setChosen(new Set());
          }}
        />
      )}
    </section>
  );
}

function isOf({ deaths }: StoredMessage, { queue, reason }: DeadLetterGroup): boolean {
  const death = deaths.at(-1);
  return (death?.queue ?? null) === queue && (death?.reason ?? null) === reason;
}

function Letters(props: {
  readonly letters: readonly StoredMessage[];
  readonly columns: readonly Column<StoredMessage>[];
}): JSX.Element {
  const { letters } = props;
  if (letters.length === 0) return <Empty title="None of them on this page" />;
  return (
    <Table caption="Dead letters" columns={props.columns} rows={letters} rowKey={({ id }) => id} />
  );
}

function columns(
  chosen: ReadonlySet<string>,
  toggle: (id: string) => void,
  open: (message: StoredMessage) => void,
): readonly Column<StoredMessage>[] {
  return [
    {
      key: 'chosen',
      title: 'Choose',
      cell: ({ id }) => (
        <input
          type="checkbox"
          aria-label={`Choose message ${id}`}
          checked={chosen.has(id)}
          onChange={() => toggle(id)}
        />
      ),
    },
    {
      key: 'payload',
      title: 'Payload',
      cell: (message) => (
        <button type="button" class="link preview" onClick={() => open(message)}>
          {preview(message)}
        </button>
      ),
    },
    {
      key: 'error',
      title: 'Error',
      cell: ({ deaths }) => <span class="error-text">{deaths.at(-1)?.error ?? ''}</span>,
      wide: true,
    },
    {
      key: 'died',
      title: 'Died',
      cell: ({ deaths, timestamp }) => formatRelative(deaths.at(-1)?.time ?? timestamp),
    },
  ];
}
