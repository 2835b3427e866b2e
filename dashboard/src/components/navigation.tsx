import type { JSX } from 'preact';
import { identity } from '../api/session.ts';
import { link, place } from '../router.ts';

const PAGES: readonly (readonly [segment: string | null, title: string])[] = [
  [null, 'Overview'],
  ['queues', 'Queues'],
  ['dead-letters', 'Dead letters'],
  ['exchanges', 'Exchanges'],
  ['schedules', 'Schedules'],
  ['clients', 'Clients'],
];
const ADMIN_PAGES: typeof PAGES = [['access', 'Access']];

export function Navigation({ onChoose }: { readonly onChoose: () => void }): JSX.Element {
  const present = place.value.segments[0] ?? null;
  const pages = identity.value?.admin === true ? [...PAGES, ...ADMIN_PAGES] : PAGES;
  return (
    <nav id="navigation" class="navigation" aria-label="Pages">
      <ul>
        {pages.map(([segment, title]) => (
          <li key={title}>
            <a
              href={segment === null ? link() : link(segment)}
              aria-current={segment === present ? 'page' : undefined}
              onClick={onChoose}
            >
              {title}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
