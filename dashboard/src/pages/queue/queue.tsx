import type { ComponentType, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { inVhost } from '../../api/client.ts';
import type { QueueInfo } from '../../api/types.ts';
import { useResource } from '../../api/use-resource.ts';
import { HistoryCharts } from '../../components/history-charts.tsx';
import { Page } from '../../components/page.tsx';
import { Loaded } from '../../components/states.tsx';
import { Tabs } from '../../components/tabs.tsx';
import { formatBytes, formatCount, formatAge, formatRate } from '../../format.ts';
import { deadLetterQueueOf } from '../../dead-letter-queue.ts';
import { link } from '../../router.ts';
import { Actions } from './actions.tsx';
import { Messages } from './messages.tsx';
import { Publish } from './publish.tsx';
import { Settings } from './settings.tsx';

type Tab = 'messages' | 'publish' | 'settings';

const TABS: readonly (readonly [Tab, string])[] = [
  ['messages', 'Messages'],
  ['publish', 'Publish'],
  ['settings', 'Settings'],
];
const PANELS: Record<Tab, ComponentType<{ readonly queue: QueueInfo }>> = {
  messages: Messages,
  publish: Publish,
  settings: Settings,
};

export function QueuePage({ name }: { readonly name: string }): JSX.Element {
  const queue = useResource<QueueInfo>(inVhost('queues', name));
  const [tab, setTab] = useState<Tab>('messages');
  const Panel = PANELS[tab];
  return (
    <Page title={name} kind="Queue" actions={queue.data !== null && <Actions queue={queue.data} />}>
      <Loaded of={queue}>
        {(data) => (
          <>
            <Figures queue={data} />
            <HistoryCharts url={inVhost('queues', name, 'history')} />
            <Tabs label="About the queue" tabs={TABS} chosen={tab} onChoose={setTab}>
              <Panel queue={data} />
            </Tabs>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Figures({ queue }: { readonly queue: QueueInfo }): JSX.Element {
  const { settings, rates, oldestAge } = queue;
  const deadLetters = deadLetterQueueOf(queue);
  const bound = settings.maxSize === null ? '' : ` of ${formatCount(settings.maxSize)}`;
  const figures: readonly (readonly [label: string, value: string, color: string])[] = [
    ['Ready', formatCount(queue.ready), 'ready'],
    ['Scheduled', formatCount(queue.scheduled), 'scheduled'],
    ['In flight', formatCount(queue.leased), 'leased'],
    ['In', formatRate(rates.enqueued), 'in'],
    ['Out', formatRate(rates.acknowledged), 'out'],
    ['Oldest', oldestAge === null ? '–' : formatAge(oldestAge), 'plain'],
    ['Stored', formatBytes(queue.bytes), 'plain'],
    ['Consumers', formatCount(queue.consumerCount), 'plain'],
  ];
  return (
    <>
      {settings.paused && (
        <p class="alarm" role="status">
          <strong>Paused</strong> <span>Messages come in, and none is handed out.</span>
        </p>
      )}
      <dl class="tiles">
        {figures.map(([label, value, color]) => (
          <div key={label} class={`tile ${color}`}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="faint uptime">
        {formatCount(queue.messageCount)}
        {bound} stored.
        {deadLetters !== queue.name && (
          <>
            {' '}
            Dead letters go to{' '}
            <a class="name" href={link('queues', deadLetters)}>
              {deadLetters}
            </a>
            .
          </>
        )}
      </p>
    </>
  );
}
