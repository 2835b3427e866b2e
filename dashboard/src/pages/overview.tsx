import type { JSX } from 'preact';
import { global, inVhost } from '../api/client.ts';
import { type LiveEvent, happenings, kindOf } from '../api/live.ts';
import type { Alarm, Overview, QueuePage } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { HistoryCharts } from '../components/history-charts.tsx';
import { Page } from '../components/page.tsx';
import { Sparkline } from '../components/sparkline.tsx';
import { apiBase, Empty, Example, Loaded } from '../components/states.tsx';
import { formatBytes, formatCount, formatDuration, formatRate, formatTime } from '../format.ts';
import { link, vhost } from '../router.ts';
import { depthsOf, sample } from '../samples.ts';

const TOP = 8;

export function OverviewPage(): JSX.Element {
  const overview = useResource<Overview>(global('overview'));
  const top = useResource<QueuePage>(
    `${inVhost('queues')}?sort=messageCount&order=desc&limit=${TOP}`,
  );
  return (
    <Page title="Overview">
      <Loaded of={overview}>
        {(data) => (
          <>
            <Alarms alarms={data.alarms.filter(isShown)} />
            <Tiles overview={data} />
          </>
        )}
      </Loaded>
      <HistoryCharts url={inVhost('overview', 'history')} />
      <div class="columns">
        <section class="card" aria-labelledby="top-queues">
          <h2 id="top-queues">Deepest queues</h2>
          <Loaded of={top}>{(data) => <TopQueues page={data} />}</Loaded>
        </section>
        <section class="card" aria-labelledby="happenings">
          <h2 id="happenings">What happened</h2>
          <Happenings />
        </section>
      </div>
    </Page>
  );
}

function isShown({ vhost: name }: Alarm): boolean {
  return name === null || name === vhost.value;
}

function Tiles({ overview }: { readonly overview: Overview }): JSX.Element {
  const { vhosts, startedAt, version } = overview;
  const totals = vhosts.find(({ name }) => name === vhost.value);
  if (totals === undefined) {
    return <Empty title={`There is no virtual host ${vhost.value}`} />;
  }
  const { rates } = totals;
  const tiles: readonly (readonly [label: string, value: string, color: string])[] = [
    ['Ready', formatCount(totals.ready), 'ready'],
    ['Scheduled', formatCount(totals.scheduled), 'scheduled'],
    ['In flight', formatCount(totals.leased), 'leased'],
    ['In', formatRate(rates.enqueued), 'in'],
    ['Out', formatRate(rates.acknowledged), 'out'],
    ['Queues', formatCount(totals.queues), 'plain'],
    ['Consumers', formatCount(totals.consumers), 'plain'],
    ['Stored', formatBytes(totals.bytes), 'plain'],
  ];
  return (
    <>
      <dl class="tiles">
        {tiles.map(([label, value, color]) => (
          <div key={label} class={`tile ${color}`}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="faint uptime">
        Wherry {version}, up for {formatDuration(Math.max(0, Date.now() - startedAt))}
      </p>
    </>
  );
}

const ALARM_TITLES: Record<Alarm['kind'], string> = {
  'queue-full': 'Queue full',
  'dead-letters': 'Dead letters',
  overloaded: 'Overloaded',
  store: 'Store',
  disk: 'Low on disk',
  memory: 'Low on memory',
  'store-full': 'Store full',
};

function Alarms({ alarms }: { readonly alarms: readonly Alarm[] }): JSX.Element {
  return (
    <div>
      <p class="unseen" role="status">
        {alarms.length > 0 && `Alarms: ${alarms.map(({ kind }) => ALARM_TITLES[kind]).join(', ')}`}
      </p>
      {alarms.map(({ kind, detail, queue }) => (
        <p key={`${kind} ${queue ?? ''}`} class="alarm">
          <strong>{ALARM_TITLES[kind]}</strong> <span>{detail}</span>
          {kind === 'dead-letters' && <a href={link('dead-letters')}>Look at them</a>}
          {kind === 'queue-full' && <a href={link('queues', queue!)}>Open the queue</a>}
        </p>
      ))}
    </div>
  );
}

function TopQueues({ page }: { readonly page: QueuePage }): JSX.Element {
  sample(vhost.value, page.queues);
  const most = Math.max(1, ...page.queues.map(({ messageCount }) => messageCount));
  if (page.queues.length === 0) {
    return (
      <Empty title="There are no queues yet">
        <p>Create the first one on the Queues page, or from a terminal:</p>
        <Example code={`curl -X PUT ${apiBase()}/queues/orders`} />
      </Empty>
    );
  }
  return (
    <ol class="top">
      {page.queues.map(({ name, messageCount }) => (
        <li key={name}>
          <a class="name" href={link('queues', name)}>
            {name}
          </a>
          <Sparkline values={depthsOf(vhost.value, name)} />
          <span class="number">{formatCount(messageCount)}</span>
          <span class="bar" style={{ inlineSize: `${(messageCount / most) * 100}%` }} />
        </li>
      ))}
    </ol>
  );
}

function Happenings(): JSX.Element {
  const { value } = happenings;
  if (value.length === 0) {
    return (
      <Empty title="Nothing out of the ordinary">
        <p>Dead letters, expired and dropped messages and lost leases appear here at once.</p>
      </Empty>
    );
  }
  return (
    <ol class="happenings">
      {value.map((event) => (
        <li key={kindOf(event)}>
          <time>{formatTime(event.at)}</time>
          <span>
            {inWords(event)}
            {event.count > 1 && <span class="tag times">×{formatCount(event.count)}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}

function inWords(event: LiveEvent): JSX.Element {
  const { queue = '', to = '', reason = '' } = event;
  const source = (
    <a class="name" href={link('queues', queue)}>
      {queue}
    </a>
  );
  switch (event.type) {
    case 'deadLettered':
      return (
        <>
          {source} → <span class="name">{to}</span>: {reason}
        </>
      );
    case 'parked':
      return <>{source} keeps a dead message: its dead-letter queue has no room</>;
    case 'expired':
      return <>{source}: a message's time was up</>;
    case 'dropped':
      return <>{source} was full: its oldest message made room</>;
    case 'leaseLost':
      return <>{source}: a consumer lost its lease</>;
    default:
      return (
        <>
          Schedule <span class="name">{event.schedule}</span>: {event.error}
        </>
      );
  }
}
