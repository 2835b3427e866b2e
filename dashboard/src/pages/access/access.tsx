import type { ComponentType, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { identity } from '../../api/session.ts';
import { Page } from '../../components/page.tsx';
import { Empty } from '../../components/states.tsx';
import { Tabs } from '../../components/tabs.tsx';
import { Tokens } from './tokens.tsx';
import { Users } from './users.tsx';
import { Vhosts } from './vhosts.tsx';

type Tab = 'users' | 'tokens' | 'vhosts';

const TABS: readonly (readonly [Tab, string])[] = [
  ['users', 'Users'],
  ['tokens', 'Tokens'],
  ['vhosts', 'Virtual hosts'],
];
const PANELS: Record<Tab, ComponentType> = { users: Users, tokens: Tokens, vhosts: Vhosts };

export function AccessPage(): JSX.Element {
  const [tab, setTab] = useState<Tab>('users');
  const Panel = PANELS[tab];
  if (identity.value?.admin !== true) {
    return (
      <Page title="Access">
        <Empty title="This is for administrators">
          <p>Ask one of them for an administrator's user, or for the change that you need.</p>
        </Empty>
      </Page>
    );
  }
  return (
    <Page title="Access">
      <Tabs label="Kinds of access" tabs={TABS} chosen={tab} onChoose={setTab}>
        <Panel />
      </Tabs>
    </Page>
  );
}
