import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { inVhost } from '../../api/client.ts';
import type {
  DeadLetterSummary,
  MessagePage,
  MessageState,
  QueueInfo,
  StoredMessage,
} from '../../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../../api/use-resource.ts';
import { Dialog } from '../../components/dialog.tsx';
import { MessageDetails } from '../../components/message-details.tsx';
import { Pager } from '../../components/pager.tsx';
import { apiBase, Empty, Example, Loaded } from '../../components/states.tsx';
import { type Column, Table } from '../../components/table.tsx';
import { formatCount, formatRelative, formatTime } from '../../format.ts';
import { deadLetterQueueOf } from '../../dead-letter-queue.ts';
import { preview } from '../../preview.ts';
import { Redrive } from './redrive.tsx';

/** Of the dead, a page has those of other queues, too, which are left out. */
const LIMITS: Record<State, number> = { ready: 50, scheduled: 50, leased: 50, dead: 500 };

type State = MessageState | 'dead';

const STATES: readonly (readonly [State, string])[] = [
  ['ready', 'Ready'],
  ['scheduled', 'Scheduled'],
  ['leased', 'In flight'],
  ['dead', 'Dead'],
];

/** Looks at the stored messages, without taking them. */
export function Messages({ queue }: { readonly queue: QueueInfo }): JSX.Element {
  const [state, setState] = useState<State>('ready');
  // The cursors of the pages before, to find the way back.
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [opened, setOpened] = useState<StoredMessage | null>(null);
  useEffect(() => setCursors([]), [queue.name, state]);
  const page = useResource<MessagePage>(pageUrl(queue, state, cursors.at(-1)));
  const summaryUrl = inVhost('dead-letters', 'summary');
  const groups = useResource<DeadLetterSummary>(summaryUrl, SLOW_POLL_MS).data?.groups ?? [];
  const died = groups.filter((group) => group.queue === queue.name);
  const counts = { ...queue, dead: died.reduce((sum, group) => sum + group.count, 0) };
  return (
    <>
      <div class="toolbar">
        <div class="segments" role="group" aria-label="State">
          {STATES.map(([key, label]) => (
            <button
              key={key}
              type="button"
              aria-pressed={state === key}
              onClick={() => setState(key)}
            >
              {label} <span class="count">{formatCount(counts[key])}</span>
            </button>
          ))}
        </div>
        <Redrive queue={queue} groups={groups} ofDead={state === 'dead'} />
      </div>
      <Loaded of={page}>
        {({ messages, cursor: next }) => (
          <>
            <List
              queue={queue}
              state={state}
              messages={state === 'dead' ? messages.filter((one) => diedIn(one, queue)) : messages}
              open={setOpened}
            />
            <Pager cursors={cursors} next={next} onTurn={setCursors} />
          </>
        )}
      </Loaded>
      {opened !== null && (
        <Dialog title="Message" wide onClose={() => setOpened(null)}>
          <MessageDetails message={opened} />
        </Dialog>
      )}
    </>
  );
}

function pageUrl(queue: QueueInfo, state: State, cursor: string | undefined): string {
  const query = new URLSearchParams({ limit: String(LIMITS[state]) });
  if (cursor !== undefined) query.set('cursor', cursor);
  if (state === 'dead') {
    query.set('queue', deadLetterQueueOf(queue));
    return `${inVhost('dead-letters')}?${query}`;
  }
  query.set('state', state);
  return `${inVhost('queues', queue.name, 'messages')}?${query}`;
}

function diedIn({ deaths }: StoredMessage, { name }: QueueInfo): boolean {
  return deaths.at(-1)?.queue === name;
}

function List(props: {
  readonly queue: QueueInfo;
  readonly state: State;
  readonly messages: readonly StoredMessage[];
  readonly open: (message: StoredMessage) => void;
}): JSX.Element {
  const { queue, state, messages, open } = props;
  if (messages.length === 0) return <NoMessages queue={queue} state={state} />;
  return (
    <Table
      caption={`Messages of ${queue.name}`}
      columns={columns(open)}
      rows={messages}
      rowKey={({ id }) => id}
    />
  );
}

function columns(open: (message: StoredMessage) => void): readonly Column<StoredMessage>[] {
  return [
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
      key: 'when',
      title: 'Stored',
      cell: ({ timestamp }) => (
        <time title={formatTime(timestamp)}>{formatRelative(timestamp)}</time>
      ),
    },
    { key: 'about', title: 'About', cell: about },
    {
      key: 'priority',
      title: 'Priority',
      cell: ({ priority }) => priority,
      align: 'right',
      wide: true,
    },
    {
      key: 'retries',
      title: 'Retries',
      cell: ({ retryCount }) => retryCount,
      align: 'right',
      wide: true,
    },
  ];
}

function about(message: StoredMessage): JSX.Element {
  const { state, availableAt, lease, deaths, parked, groupId } = message;
  const death = deaths.at(-1);
  return (
    <>
      {state === 'scheduled' && !parked && <span class="tag">{formatRelative(availableAt)}</span>}
      {parked && <span class="tag warn">parked</span>}
      {lease && (
        <span class="tag">
          {lease.consumerId}, {formatRelative(lease.until)}
        </span>
      )}
      {groupId !== undefined && <span class="tag">group {groupId}</span>}
      {death !== undefined && (
        <span class="tag warn">
          {death.reason} in {death.queue}
        </span>
      )}
    </>
  );
}

function NoMessages(props: { readonly queue: QueueInfo; readonly state: State }): JSX.Element {
  const { queue, state } = props;
  const words = {
    ready: 'waits here',
    scheduled: 'waits for its time',
    leased: 'is in flight',
    dead: 'of this queue has died, on this page',
  };
  return (
    <Empty title={`No message ${words[state]}`}>
      {state === 'ready' && (
        <>
          <p>Send one with Publish, or from a terminal:</p>
          <Example
            code={`curl -d hello -H 'content-type: text/plain' \\\n  '${apiBase()}/queues/${encodeURIComponent(queue.name)}/messages'`}
          />
        </>
      )}
    </Empty>
  );
}
