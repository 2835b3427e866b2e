import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';

interface Place {
  /** Decoded segments: `/queues/a%2Fb` is `['queues', 'a/b']`. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

const DEFAULT_VHOST = '/';

/** Where the browser is. */
export const place: Signal<Place> = signal(readPlace());

/** The virtual host that the pages show: part of the address, so that it can be linked to. */
export const vhost: ReadonlySignal<string> = computed(
  () => place.value.query.get('vhost') ?? DEFAULT_VHOST,
);

function readPlace(): Place {
  const { pathname, search } = window.location;
  const segments = pathname.split('/').filter((segment) => segment !== '');
  return { segments: segments.map(decode), query: new URLSearchParams(search) };
}

/** What somebody typed into the address bar need not be well-formed. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The address of a page in the present virtual host. `link('queues', name)`. */
export function link(...segments: readonly string[]): string {
  return linkIn(vhost.value, segments);
}

/** The address of a page in any virtual host. */
export function linkIn(host: string, segments: readonly string[]): string {
  const path = `/${segments.map(encodeURIComponent).join('/')}`;
  return host === DEFAULT_VHOST ? path : `${path}?${new URLSearchParams({ vhost: host })}`;
}

export function navigate(to: string): void {
  window.history.pushState(null, '', to);
  place.value = readPlace();
  window.scrollTo(0, 0);
}

/** Follows links to pages without loading anew. */
export function startRouter(): void {
  window.addEventListener('popstate', () => {
    place.value = readPlace();
  });
  document.addEventListener('click', (event) => {
    const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey);
    const anchor = (event.target as Element).closest('a');
    if (!isPlain || event.defaultPrevented || anchor === null) return;
    const target = anchor.getAttribute('href') ?? '';
    const isPage = target.startsWith('/') && !target.startsWith('/api/');
    if (!isPage || anchor.hasAttribute('target') || anchor.hasAttribute('download')) return;
    event.preventDefault();
    navigate(target);
  });
}
