import { readFileSync } from 'node:fs';
import { ValidationError } from '../../core/errors.ts';

/** One server. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** Where a store is, as a URL names it. */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** Servers to ask; none where `path` is given. */
  readonly nodes: readonly RedisNode[];
  /** A unix socket's. */
  readonly path?: string;
  /** The name that the sentinels know the primary by. */
  readonly primary?: string;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** Encrypted, with this certificate authority in the place of the usual ones if it is given. */
  readonly tls?: { readonly ca?: Buffer };
  readonly prefix?: string;
  readonly waitReplicas?: number;
}

const DEFAULT_PORTS = { single: 6379, sentinel: 26379, cluster: 6379 } as const;

const URL_PARTS =
  /^(rediss?)(?:[-+](socket|sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?(.*))?$/;

const EXAMPLE =
  "Examples: 'redis://user:password@host:6379/0', 'rediss://host', 'redis+socket:///path/to/socket', " +
  "'redis-sentinel://host1:26379,host2:26379/NAME', 'redis-cluster://host1:6379,host2:6379'.";

/**
 * Reads a URL. Parameters: `db`, `prefix`, `waitReplicas`, and `ca`, a file with the certificate
 * authority's certificate.
 * @throws ValidationError when it says something else
 */
export function parseAddress(url: string): RedisAddress {
  const [, scheme, form, user, hosts = '', path = '', query = ''] = URL_PARTS.exec(url) ?? [];
  if (scheme === undefined) throw wrong(`'${withoutSecrets(url)}' is no address of Redis.`);
  const parameters = readParameters(query);
  const common = { ...readUser(user), ...readTls(scheme, parameters), ...readSettings(parameters) };
  const db = readNumber('db', parameters) ?? 0;
  const rest = decodeURIComponent(path.slice(1));
  if (form === 'socket') {
    if (rest === '') throw wrong('It names no socket.');
    return { ...common, kind: 'single', db, nodes: [], path: decodeURIComponent(path) };
  }
  const kind = form === 'sentinel' || form === 'cluster' ? form : 'single';
  const nodes = hosts.split(',').map((host) => readNode(host, DEFAULT_PORTS[kind]));
  switch (kind) {
    case 'single':
      if (nodes.length > 1) throw wrong('It names several servers, but no sentinels or cluster.');
      return { ...common, kind, nodes, db: rest === '' ? db : wholeNumber('database', rest) };
    case 'sentinel':
      if (rest === '') throw wrong('It does not say how its sentinels call the primary.');
      return { ...common, kind, nodes, db, primary: rest };
    case 'cluster':
      if (db === 0 && rest === '') return { ...common, kind, nodes, db };
      throw wrong('A cluster has one database; keep systems apart by a prefix.');
  }
}

/** For messages to people. */
function withoutSecrets(url: string): string {
  return url.replace(/(\/\/[^@/]*?)(:[^@/]*)?@/, '$1:***@');
}

const PARAMETERS = ['ca', 'db', 'prefix', 'waitReplicas'];

type Parameters = ReadonlyMap<string, string>;

function readParameters(query: string): Parameters {
  const parameters = new Map(new URLSearchParams(query));
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw wrong(`It has the parameter '${name}'; known are ${PARAMETERS.join(', ')}.`);
    }
  }
  return parameters;
}

function readSettings(parameters: Parameters): Pick<RedisAddress, 'prefix' | 'waitReplicas'> {
  const prefix = parameters.get('prefix');
  const waitReplicas = readNumber('waitReplicas', parameters);
  return {
    ...(prefix !== undefined && { prefix }),
    ...(waitReplicas !== undefined && { waitReplicas }),
  };
}

function readTls(scheme: string, parameters: Parameters): Pick<RedisAddress, 'tls'> {
  if (scheme !== 'rediss') return {};
  const file = parameters.get('ca');
  return { tls: file === undefined ? {} : { ca: readFileSync(file) } };
}

function readUser(user: string | undefined): { username?: string; password?: string } {
  if (user === undefined) return {};
  const colon = user.indexOf(':');
  const [name, password] = colon < 0 ? [user, ''] : [user.slice(0, colon), user.slice(colon + 1)];
  return {
    ...(name !== '' && { username: decodeURIComponent(name) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  };
}

/** `host`, `host:port` or `[IPv6]:port`. */
function readNode(text: string, defaultPort: number): RedisNode {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw wrong(`It names the server '${text}'.`);
  return { host: host || 'localhost', port: port === undefined ? defaultPort : Number(port) };
}

function readNumber(name: string, parameters: Parameters): number | undefined {
  const text = parameters.get(name);
  return text === undefined ? undefined : wholeNumber(name, text);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw wrong(`Its ${name} is '${text}'; it must be a whole number.`);
}

function wrong(what: string): ValidationError {
  return new ValidationError(`The store's URL is wrong. ${what} ${EXAMPLE}`);
}
