import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost, send } from '../api/client.ts';
import { refreshAll } from '../api/connection.ts';
import type { Schedule, Schedules } from '../api/types.ts';
import { SLOW_POLL_MS, useResource } from '../api/use-resource.ts';
import { Confirm, Dialog } from '../components/dialog.tsx';
import {
  Field,
  FormProblem,
  SelectField,
  Submit,
  TextField,
  useSubmit,
} from '../components/form.tsx';
import { Page } from '../components/page.tsx';
import { Empty, Example, Loaded } from '../components/states.tsx';
import { type Column, Table } from '../components/table.tsx';
import { attempt, tell } from '../components/toasts.tsx';
import { formatCount, formatDuration, formatRelative, formatTime } from '../format.ts';
import { link } from '../router.ts';

const TICKS_SHOWN = 3;

export function SchedulesPage(): JSX.Element {
  const schedules = useResource<Schedules>(inVhost('schedules'));
  const [doomed, setDoomed] = useState<string | null>(null);
  const [isCreating, setCreating] = useState(false);
  const remove = async (): Promise<void> => {
    await send('DELETE', inVhost('schedules', doomed!));
    tell(`Schedule ${doomed} is removed`);
  };
  return (
    <Page
      title="Schedules"
      actions={
        <button type="button" class="primary" onClick={() => setCreating(true)}>
          New schedule
        </button>
      }
    >
      <Loaded of={schedules}>
        {({ schedules: rows }) =>
          rows.length === 0 ? (
            <NoSchedules />
          ) : (
            <Table
              caption="Schedules"
              columns={columns(setDoomed)}
              rows={rows}
              rowKey={({ name }) => name}
            />
          )
        }
      </Loaded>
      {isCreating && <CreateSchedule onClose={() => setCreating(false)} />}
      {doomed !== null && (
        <Confirm
          title="Remove the schedule"
          text="No more messages will be sent for it. What it has sent stays."
          typed={doomed}
          action="Remove"
          onConfirm={remove}
          onClose={() => setDoomed(null)}
        />
      )}
    </Page>
  );
}

function columns(remove: (name: string) => void): readonly Column<Schedule>[] {
  return [
    {
      key: 'name',
      title: 'Schedule',
      cell: ({ name, paused }) => (
        <>
          <span class="name strong">{name}</span>
          {paused && <span class="tag warn">paused</span>}
        </>
      ),
    },
    { key: 'when', title: 'When', cell: when },
    { key: 'to', title: 'To', cell: target, wide: true },
    {
      key: 'next',
      title: 'Next',
      cell: (schedule) => <Ticks key={schedule.lastTick} schedule={schedule} />,
    },
    {
      key: 'sent',
      title: 'Sent',
      cell: ({ sent }) => formatCount(sent),
      align: 'right',
      wide: true,
    },
    {
      key: 'actions',
      title: 'Actions',
      cell: (schedule) => <ScheduleActions schedule={schedule} remove={remove} />,
      align: 'right',
    },
  ];
}

function when({ cron, timezone, every }: Schedule): JSX.Element {
  if (every !== null) return <span>every {formatDuration(every)}</span>;
  return (
    <span>
      <code>{cron}</code> <span class="faint">{timezone}</span>
    </span>
  );
}

function target({ queue, exchange, routingKey }: Schedule): JSX.Element {
  if (queue === null) {
    return (
      <span class="name">
        {exchange} {routingKey !== null && routingKey !== '' && <code>{routingKey}</code>}
      </span>
    );
  }
  return (
    <a class="name" href={link('queues', queue)}>
      {queue}
    </a>
  );
}

function Ticks({ schedule }: { readonly schedule: Schedule }): JSX.Element {
  const { name, paused } = schedule;
  const url = `${inVhost('schedules', name, 'ticks')}?count=${TICKS_SHOWN}`;
  const { data } = useResource<{ ticks: readonly number[] }>(paused ? null : url, SLOW_POLL_MS);
  const [next, ...later] = data?.ticks ?? [];
  if (next === undefined) return <span class="faint">{paused ? 'not while paused' : '–'}</span>;
  return (
    <span class="ticks">
      <strong title={formatTime(next)}>{formatRelative(next)}</strong>
      <span class="faint">{later.map((tick) => formatTime(tick)).join(', ')}</span>
    </span>
  );
}

function ScheduleActions(props: {
  readonly schedule: Schedule;
  readonly remove: (name: string) => void;
}): JSX.Element {
  const { name, paused } = props.schedule;
  const turn = async (): Promise<void> => {
    const url = inVhost('schedules', name, paused ? 'resume' : 'pause');
    await attempt(() => send('POST', url), paused ? `${name} goes on` : `${name} is paused`);
    refreshAll();
  };
  return (
    <span class="actions">
      <button type="button" class="small" onClick={() => void turn()}>
        {paused ? 'Resume' : 'Pause'}
        <span class="unseen"> {name}</span>
      </button>
      <button type="button" class="small danger-text" onClick={() => props.remove(name)}>
        Remove…<span class="unseen"> {name}</span>
      </button>
    </span>
  );
}

function NoSchedules(): JSX.Element {
  return (
    <Empty title="There are no schedules">
      <p>A schedule sends a message at fixed times. Create one here, or in a program:</p>
      <Example
        code={`await mq.upsertSchedule('nightly', {\n  cron: '30 2 * * *',\n  queue: 'reports',\n  message: { payload: { kind: 'nightly' } },\n});`}
      />
    </Empty>
  );
}

function CreateSchedule({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [kind, setKind] = useState('every');
  const [timing, setTiming] = useState('5m');
  const [queue, setQueue] = useState('');
  const [payload, setPayload] = useState('{}');
  const { submit, problem, isBusy } = useSubmit(async () => {
    const message = { payload: JSON.parse(payload) as unknown };
    await send('PUT', inVhost('schedules', name), { [kind]: timing, queue, message });
    tell(`Schedule ${name} is there`);
    onClose();
  });
  return (
    <Dialog title="New schedule" onClose={onClose}>
      <form onSubmit={submit}>
        <TextField label="Name" value={name} onChange={setName} required />
        <SelectField
          label="Repeats"
          value={kind}
          onChange={setKind}
          options={[
            ['every', 'every so long'],
            ['cron', 'by a cron expression (UTC)'],
          ]}
        />
        <TextField
          label={kind === 'every' ? 'Every' : 'Cron expression'}
          value={timing}
          onChange={setTiming}
          help={kind === 'every' ? 'Such as 30s, 5m, 2h.' : 'Such as 30 2 * * *'}
        />
        <TextField label="To queue" value={queue} onChange={setQueue} required />
        <Field
          label="Payload (JSON)"
          control={(attributes) => (
            <textarea
              {...attributes}
              rows={4}
              class="code"
              spellcheck={false}
              value={payload}
              onInput={(event) => setPayload(event.currentTarget.value)}
            />
          )}
        />
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
