import { isIP } from 'node:net';
import { HostNotAllowedError, OriginNotAllowedError } from './errors.ts';
import { matchesGlob } from './permissions.ts';

export interface HostPolicyOptions {
  /** Names besides localhost and IP addresses; `*` in them is any run. */
  readonly allowedHosts: readonly string[];
  /** `https://mq.example.com`: origins of pages besides our own. */
  readonly allowedOrigins: readonly string[];
  /** Whether we speak TLS ourselves. */
  readonly tls: boolean;
}

/** The headers of a request that say where it comes from. */
export interface Provenance {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` and `Sec-Fetch-Mode`: browsers set them, pages cannot. */
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
  readonly method: string;
}

/**
 * Refuses what pages of others make browsers send.
 *
 * The host is checked where no credentials come in a header: a page whose DNS name was rebound to
 * this machine has the rights of whoever is at this machine, and none where a header shows them.
 */
export class HostPolicy {
  readonly #hosts: readonly string[];
  readonly #origins: ReadonlySet<string>;
  readonly #scheme: string;

  constructor({ allowedHosts, allowedOrigins, tls }: HostPolicyOptions) {
    this.#hosts = allowedHosts.map((host) => host.toLowerCase());
    this.#origins = new Set(allowedOrigins.map((origin) => origin.toLowerCase()));
    this.#scheme = tls ? 'https' : 'http';
  }

  /** @throws HostNotAllowedError */
  checkHost(host: string | undefined): void {
    if (host === undefined || !this.#isOurHost(host)) throw new HostNotAllowedError(host ?? '');
  }

  /** @throws OriginNotAllowedError */
  checkOrigin({ host = '', origin, method, fetchSite, fetchMode }: Provenance): void {
    if (origin !== undefined) {
      if (!this.#isOurOrigin(origin, host)) throw new OriginNotAllowedError(origin);
      return;
    }
    // A link from elsewhere is followed with GET, as a navigation; nothing else is asked across sites.
    const isLink = fetchMode === 'navigate' && (method === 'GET' || method === 'HEAD');
    const isForeign = fetchSite === 'cross-site' || fetchSite === 'same-site';
    if (isForeign && !isLink) throw new OriginNotAllowedError(fetchSite);
  }

  /** Whether the configuration names this origin: its pages may read what is answered. */
  isAllowedOrigin(origin: string): boolean {
    return this.#origins.has(origin.toLowerCase());
  }

  /** Whether the page that asks was loaded over TLS, from us or from a proxy before us. */
  isSecure(origin: string | undefined): boolean {
    return this.#scheme === 'https' || (origin?.toLowerCase().startsWith('https://') ?? false);
  }

  #isOurHost(host: string): boolean {
    // An address cannot be rebound: only names are looked up.
    const name = nameOf(host);
    if (name === null) return false;
    if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
    return this.#hosts.some((allowed) => matchesGlob(allowed, name));
  }

  #isOurOrigin(origin: string, host: string): boolean {
    const lower = origin.toLowerCase();
    return lower === `${this.#scheme}://${host.toLowerCase()}` || this.isAllowedOrigin(lower);
  }
}

/** The name in `name:port`, `[IPv6]:port`; null when it is none of these. */
function nameOf(host: string): string | null {
  const [, ipv6, name] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(host) ?? [];
  return (ipv6 ?? name)?.toLowerCase().replace(/\.$/, '') ?? null;
}

/** Whether only this machine can reach an address that is listened on. */
export function isLoopback(host: string): boolean {
  const plain = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:(?=\d+\.)/, '');
  if (plain === 'localhost' || plain === '::1') return true;
  return isIP(plain) === 4 && plain.startsWith('127.');
}
