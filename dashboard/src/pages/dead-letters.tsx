import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../api/client.ts';
import type { DeadLetterGroup, DeadLetterSummary } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { Confirm } from '../components/dialog.tsx';
import { Page } from '../components/page.tsx';
import { RedriveDialog, type Selection } from '../components/redrive-dialog.tsx';
import { Empty, Example, Loaded } from '../components/states.tsx';
import { type Column, Table } from '../components/table.tsx';
import { tell } from '../components/toasts.tsx';
import { formatCount, formatRelative, plural } from '../format.ts';
import { link } from '../router.ts';
import { DeadLetterList } from './dead-letter-list.tsx';

/** A summary reads thousands of messages: not as often as counts. */
const POLL_EVERY_MS = 5_000;

const keyOf = ({ deadLetterQueue, queue, reason }: DeadLetterGroup): string =>
  JSON.stringify([deadLetterQueue, queue, reason]);

export function DeadLettersPage(): JSX.Element {
  const summary = useResource<DeadLetterSummary>(inVhost('dead-letters', 'summary'), POLL_EVERY_MS);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [shown, setShown] = useState<DeadLetterGroup | null>(null);
  const [asked, setAsked] = useState<'redrive' | 'purge' | null>(null);
  const groups = summary.data?.groups ?? [];
  const selected = groups.filter((group) => chosen.has(keyOf(group)));
  const count = selected.reduce((sum, group) => sum + group.count, 0);
  const close = (): void => setAsked(null);
  return (
    <Page
      title="Dead letters"
      actions={
        <>
          <button type="button" disabled={count === 0} onClick={() => setAsked('redrive')}>
            {count > 0 ? `Redrive ${formatCount(count)}…` : 'Redrive…'}
          </button>
          <PurgeButton groups={groups} isAsked={asked === 'purge'} onAsk={setAsked} />
        </>
      }
    >
      <Loaded of={summary}>
        {({ complete }) =>
          groups.length === 0 ? (
            <NoDeadLetters />
          ) : (
            <>
              <Table
                caption="Dead letters by queue and reason"
                columns={columns(chosen, setChosen, setShown)}
                rows={groups}
                rowKey={keyOf}
              />
              <p class="faint uptime">
                Choose what to redrive, or open a queue to see its dead letters one by one.
              </p>
              {!complete && <p class="faint">There are more than these counts say.</p>}
            </>
          )
        }
      </Loaded>
      {shown !== null && <DeadLetterList key={keyOf(shown)} group={shown} />}
      {asked === 'redrive' && (
        <RedriveDialog selections={selected.map(selectionOf)} count={count} onClose={close} />
      )}
    </Page>
  );
}

function selectionOf({ deadLetterQueue, queue, reason }: DeadLetterGroup): Selection {
  return {
    from: deadLetterQueue,
    ...(queue === null ? {} : { queue }),
    ...(reason === null ? {} : { reason }),
  };
}

function columns(
  chosen: ReadonlySet<string>,
  setChosen: (chosen: ReadonlySet<string>) => void,
  show: (group: DeadLetterGroup) => void,
): readonly Column<DeadLetterGroup>[] {
  const toggle = (group: DeadLetterGroup): void => {
    const next = new Set(chosen);
    if (!next.delete(keyOf(group))) next.add(keyOf(group));
    setChosen(next);
  };
  return [
    {
      key: 'chosen',
      title: 'Choose',
      cell: (group) => (
        <input
          type="checkbox"
          aria-label={`Choose ${group.reason ?? 'unknown'} of ${group.queue ?? 'unknown'}`}
          checked={chosen.has(keyOf(group))}
          onChange={() => toggle(group)}
        />
      ),
    },
    {
      key: 'queue',
      title: 'Died in',
      cell: (group) => (
        <button type="button" class="link name" onClick={() => show(group)}>
          {group.queue ?? 'unknown'}
        </button>
      ),
    },
    {
      key: 'reason',
      title: 'Reason',
      cell: ({ reason }) => <span class="tag warn">{reason ?? 'unknown'}</span>,
    },
    { key: 'count', title: 'Count', cell: ({ count }) => formatCount(count), align: 'right' },
    {
      key: 'error',
      title: 'Latest error',
      cell: ({ error }) => <span class="error-text">{error ?? ''}</span>,
      wide: true,
    },
    {
      key: 'newest',
      title: 'Newest',
      cell: ({ newest }) => formatRelative(newest),
      wide: true,
    },
    { key: 'oldest', title: 'Oldest', cell: ({ oldest }) => formatRelative(oldest), wide: true },
    {
      key: 'where',
      title: 'Lies in',
      cell: ({ deadLetterQueue }) => (
        <a class="name" href={link('queues', deadLetterQueue)}>
          {deadLetterQueue}
        </a>
      ),
      wide: true,
    },
  ];
}

function PurgeButton(props: {
  readonly groups: readonly DeadLetterGroup[];
  readonly isAsked: boolean;
  readonly onAsk: (asked: 'purge' | null) => void;
}): JSX.Element {
  const { groups, isAsked, onAsk } = props;
  const [queue, setQueue] = useState('');
  const queues = [...new Set(groups.map(({ deadLetterQueue }) => deadLetterQueue))];
  const target = queues.includes(queue) ? queue : (queues[0] ?? '');
  const count = groups
    .filter((group) => group.deadLetterQueue === target)
    .reduce((sum, group) => sum + group.count, 0);
  const purge = async (): Promise<void> => {
    const url = inVhost('dead-letters', 'purge');
    const { purged } = await send<{ purged: number }>('POST', url, { queue: target });
    tell(`${plural(purged, 'dead letter')} of ${target} purged`);
  };
  return (
    <>
      {queues.length > 1 && (
        <select
          aria-label="Dead-letter queue to purge"
          value={target}
          onChange={(event) => setQueue(event.currentTarget.value)}
        >
          {queues.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
      <button
        type="button"
        class="danger-text"
        disabled={queues.length === 0}
        onClick={() => onAsk('purge')}
      >
        Purge…
      </button>
      {isAsked && (
        <Confirm
          title="Purge the dead letters"
          text={`${plural(count, 'dead letter')} in this queue will be gone for good.`}
          typed={target}
          action="Purge"
          onConfirm={purge}
          onClose={() => onAsk(null)}
        />
      )}
    </>
  );
}

function NoDeadLetters(): JSX.Element {
  return (
    <Empty title="There are no dead letters">
      <p>
        A message comes here when its retries are used up. A handler that knows that trying again is
        of no use says so with:
      </p>
      <Example code={`throw new RejectError('no such customer');`} />
    </Empty>
  );
}
