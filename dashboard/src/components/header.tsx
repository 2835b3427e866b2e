import type { JSX } from 'preact';
import { global } from '../api/client.ts';
import { isConnected } from '../api/connection.ts';
import { identity, logOut } from '../api/session.ts';
import type { Vhosts } from '../api/types.ts';
import { useResource } from '../api/use-resource.ts';
import { link, linkIn, navigate, place, vhost } from '../router.ts';
import { nextTheme, theme } from '../theme.ts';
import { Mark } from './mark.tsx';
import { attempt } from './toasts.tsx';

const VHOSTS_POLL_MS = 30_000;

export interface HeaderProps {
  readonly isMenuOpen: boolean;
  readonly onMenu: () => void;
}

export function Header({ isMenuOpen, onMenu }: HeaderProps): JSX.Element {
  const who = identity.value!;
  return (
    <header class="header">
      <button
        type="button"
        class="quiet icon menu"
        aria-label="Pages"
        aria-expanded={isMenuOpen}
        aria-controls="navigation"
        onClick={onMenu}
      >
        ☰
      </button>
      <a class="brand" href={link()}>
        <Mark /> Wherry
      </a>
      <VhostSwitch />
      <span class={`live ${isConnected.value ? '' : 'off'}`} role="status">
        {isConnected.value ? 'Live' : 'Lost'}
      </span>
      <button type="button" class="quiet small theme" onClick={nextTheme}>
        <span class="unseen">Theme: </span>
        <span aria-hidden="true">◐</span>
        {theme.value}
      </button>
      {who.kind === 'user' && (
        <button
          type="button"
          class="quiet small"
          onClick={() => void attempt(logOut, 'You are logged out')}
        >
          <span class="wide-only">{who.name} · </span>Log out
        </button>
      )}
    </header>
  );
}

/** The virtual hosts that may be entered. */
function VhostSwitch(): JSX.Element {
  const { data } = useResource<Vhosts>(global('vhosts'), VHOSTS_POLL_MS);
  const known = data?.vhosts.map(({ name }) => name) ?? [];
  const names = [...new Set([...known, vhost.value])].toSorted();
  if (names.length < 2) return <span class="vhost" />;
  const go = (name: string): void => {
    const page = place.value.segments[0];
    navigate(linkIn(name, page === undefined ? [] : [page]));
  };
  return (
    <label class="vhost">
      <span class="unseen">Virtual host</span>
      <select value={vhost.value} onChange={(event) => go(event.currentTarget.value)}>
        {names.map((name) => (
          <option key={name} value={name} selected={name === vhost.value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
