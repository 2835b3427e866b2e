import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { isConnected } from './api/connection.ts';
import { identity } from './api/session.ts';
import { Header } from './components/header.tsx';
import { Navigation } from './components/navigation.tsx';
import { Page } from './components/page.tsx';
import { Empty } from './components/states.tsx';
import { Toasts } from './components/toasts.tsx';
import { AccessPage } from './pages/access/access.tsx';
import { ClientsPage } from './pages/clients.tsx';
import { DeadLettersPage } from './pages/dead-letters.tsx';
import { ExchangesPage } from './pages/exchanges/exchanges.tsx';
import { LoginPage } from './pages/login.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { QueuePage } from './pages/queue/queue.tsx';
import { QueuesPage } from './pages/queues.tsx';
import { SchedulesPage } from './pages/schedules.tsx';
import { link, place, vhost } from './router.ts';

export function App(): JSX.Element | null {
  if (identity.value === undefined) return <LostBanner />;
  if (identity.value === null) {
    return (
      <>
        <LostBanner />
        <LoginPage />
        <Toasts />
      </>
    );
  }
  return <Shell />;
}

function Shell(): JSX.Element {
  const [isMenuOpen, setMenuOpen] = useState(false);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <div class={`shell ${isMenuOpen ? 'menu-open' : ''}`}>
        <Header isMenuOpen={isMenuOpen} onMenu={() => setMenuOpen(!isMenuOpen)} />
        <Navigation onChoose={() => setMenuOpen(false)} />
        <div class="content">
          <LostBanner />
          <CurrentPage key={vhost.value} />
        </div>
      </div>
      <Toasts />
    </>
  );
}

function LostBanner(): JSX.Element {
  return (
    <div role="alert">
      {!isConnected.value && (
        <p class="lost">
          <strong>The broker does not answer.</strong> What you see is from before; it is tried
          again every second.
        </p>
      )}
    </div>
  );
}

function CurrentPage(): JSX.Element {
  const [page, name] = place.value.segments;
  switch (page) {
    case undefined:
      return <OverviewPage />;
    case 'queues':
      return name === undefined ? <QueuesPage /> : <QueuePage key={name} name={name} />;
    case 'dead-letters':
      return <DeadLettersPage />;
    case 'exchanges':
      return <ExchangesPage />;
    case 'schedules':
      return <SchedulesPage />;
    case 'clients':
      return <ClientsPage />;
    case 'access':
      return <AccessPage />;
    default:
      return (
        <Page title="Nothing here">
          <Empty title="There is no such page">
            <p>
              <a href={link()}>Go to the overview</a>
            </p>
          </Empty>
        </Page>
      );
  }
}
