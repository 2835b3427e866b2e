import { ValidationError } from '../../core/errors.ts';

/** Where a broker is. */
export type RemoteAddress =
  | { readonly kind: 'socket'; readonly path: string; readonly where: string }
  | {
      readonly kind: 'web-socket';
      readonly url: string;
      /** `http://HOST:PORT` of the broker itself. */
      readonly broker: string;
      /** Percent-encoded, as in a path; null: the default one. */
      readonly vhost: string | null;
      /** The value of the Authorization header; null: none. */
      readonly authorization: string | null;
      /** For messages to people: without credentials. */
      readonly where: string;
    };

/** Below the broker's own path. */
const STORE_PATH = '/api/v1/store';
const VHOST = /^\/vhosts\/([^/]+)$/;

/**
 * @param url `http://…`, `https://…` (`/vhosts/NAME` for another virtual host) or `unix:PATH`
 * @param token instead of a user and password in the URL
 * @throws ValidationError
 */
export function parseAddress(url: string, token?: string): RemoteAddress {
  if (/^unix:/i.test(url)) {
    const path = url.slice('unix:'.length).replace(/^\/\//, '');
    if (path === '') throw new ValidationError(`storage is '${url}'; it names no socket.`);
    return { kind: 'socket', path, where: `unix:${path}` };
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new ValidationError('storage is no URL that can be read; write http://HOST:PORT.');
  }
  const { username, password, protocol, host } = parsed;
  if (token !== undefined && username !== '') {
    throw new ValidationError(
      'storage has a user name, and there is a token. Give one of the two.',
    );
  }
  const path = parsed.pathname.replace(/\/$/, '');
  const where = `${protocol}//${host}${path}`;
  const [, vhost] = VHOST.exec(path) ?? [];
  if (path !== '' && vhost === undefined) {
    throw new ValidationError(
      `storage is '${where}'; its path must be empty, or /vhosts/NAME for a virtual host.`,
    );
  }
  const isSecure = protocol === 'https:' || protocol === 'wss:';
  const storePath = vhost === undefined ? STORE_PATH : `/api/v1/vhosts/${vhost}/store`;
  return {
    kind: 'web-socket',
    url: `${isSecure ? 'wss' : 'ws'}://${host}${storePath}`,
    broker: `${isSecure ? 'https' : 'http'}://${host}`,
    vhost: vhost ?? null,
    authorization: authorizationOf(username, password, token),
    where,
  };
}

function authorizationOf(
  username: string,
  password: string,
  token: string | undefined,
): string | null {
  if (token !== undefined) return `Bearer ${token}`;
  if (username === '') return null;
  const plain = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(plain).toString('base64')}`;
}
