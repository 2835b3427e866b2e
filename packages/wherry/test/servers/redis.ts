/**
 * A real Redis for tests, on a free port of the loopback address, in a temporary folder:
 *
 *     const redis = await startRedis({ config: { appendfsync: 'always' } });
 *     after(() => redis.stop());
 *     const client = new Redis(redis.url);
 *
 * It keeps an append-only file, synced every second, and no snapshots, unless told otherwise.
 * `kill()`, `pause()` and `restart()` keep folder and port, so that clients find it again.
 */
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import {
  type ServerCommand,
  ServerProcess,
  removeFolder,
  requireProgram,
  serverFolder,
} from './server-process.ts';

const run = promisify(execFile);

/** A user that the server knows, with all rights unless `rules` says otherwise. */
interface RedisUser {
  readonly name: string;
  readonly password: string;
  /** Such as `~app:* &* +@all -@dangerous`. */
  readonly rules?: string;
}

/** How to start a Redis. */
export interface RedisOptions {
  /** Lines of redis.conf. */
  readonly config?: Readonly<Record<string, string | number>>;
  /** Only these may connect; `url` and `cli` use the first. */
  readonly users?: readonly RedisUser[];
  /** Speaks TLS only, with a certificate signed by itself. */
  readonly tls?: boolean;
  /** With TLS: has the certificate of this one, so that they trust each other. */
  readonly certificateOf?: RedisServer;
}

/** A Redis server, or a node of a cluster. */
export class RedisServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** The certificate to trust, as PEM; `undefined` without TLS. */
  readonly ca: string | undefined;
  readonly #options: RedisOptions;
  readonly #command: ServerCommand;
  #process: ServerProcess | undefined;

  constructor(port: number, options: RedisOptions) {
    const { users = [], tls = false } = options;
    this.#options = options;
    this.port = port;
    this.folder = serverFolder('redis');
    const login = users[0] === undefined ? '' : `${users[0].name}:${users[0].password}@`;
    this.url = `${tls ? 'rediss' : 'redis'}://${login}127.0.0.1:${port}`;
    if (tls) this.ca = makeCertificate(this.folder, options.certificateOf);
    const file = join(this.folder, 'redis.conf');
    writeFileSync(file, configuration(port, this.folder, options));
    this.#command = { program: 'redis-server', args: [file], ready: /Ready to accept/ };
  }

  get pid(): number {
    if (this.#process === undefined) throw new Error('The server was not started');
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** What it printed since it was started. */
  get log(): string {
    return this.#process?.log ?? '';
  }

  /** Starts it, or starts it again on the same port and data, and waits until it answers. */
  async restart(): Promise<void> {
    await this.#process?.end('SIGTERM');
    this.#process = await ServerProcess.start(this.#command, this.folder);
  }

  /** Ends it as a crash would; `restart` brings it back. */
  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  /** Lets it hang: connections stay open, nothing is answered. */
  pause(): void {
    this.#process?.signal('SIGSTOP');
  }

  continue(): void {
    this.#process?.signal('SIGCONT');
  }

  /** Ends it for good and removes its folder. */
  async stop(): Promise<void> {
    await this.#process?.end('SIGKILL');
    removeFolder(this.folder);
  }

  /** Runs `redis-cli` on it. @returns what it printed, without the last line's end */
  async cli(...args: readonly (string | number)[]): Promise<string> {
    const { stdout } = await run(requireProgram('redis-cli'), this.cliArgs(...args));
    return stdout.trimEnd();
  }

  /** What leads `redis-cli` to this server, and `args`. */
  cliArgs(...args: readonly (string | number)[]): string[] {
    const { users = [], tls } = this.#options;
    const login =
      users[0] === undefined
        ? []
        : ['--user', users[0].name, '--pass', users[0].password, '--no-auth-warning'];
    const secure = tls ? ['--tls', '--cacert', join(this.folder, 'cert.pem')] : [];
    return ['-p', String(this.port), ...login, ...secure, ...args.map(String)];
  }
}

/** Starts a Redis and waits until it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), options);
  await server.restart();
  return server;
}

function configuration(port: number, folder: string, options: RedisOptions): string {
  const { config = {}, users = [], tls = false } = options;
  const settings = {
    bind: '127.0.0.1',
    dir: folder,
    save: '""',
    appendonly: 'yes',
    appendfsync: 'everysec',
    // With many servers on a small machine, threads of the allocator only get in the way.
    'jemalloc-bg-thread': 'no',
    'repl-diskless-sync-delay': 0,
    'shutdown-timeout': 1,
    ...(tls ? { 'tls-replication': 'yes', ...tlsSettings(port, folder) } : { port }),
    ...config,
  };
  const accounts = users.map(
    ({ name, password, rules = '~* &* +@all' }) => `user ${name} on >${password} ${rules}`,
  );
  if (users.length > 0) accounts.push('user default off');
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return `${[...lines, ...accounts].join('\n')}\n`;
}

/** Lines of the configuration of whoever speaks TLS only. @param folder has the certificate */
export function tlsSettings(port: number, folder: string): Record<string, string | number> {
  const certificate = join(folder, 'cert.pem');
  return {
    port: 0,
    'tls-port': port,
    'tls-cert-file': certificate,
    'tls-key-file': join(folder, 'key.pem'),
    'tls-ca-cert-file': certificate,
    'tls-auth-clients': 'no',
  };
}

/** Makes cert.pem and key.pem in `folder`, or copies another's. @returns the certificate */
function makeCertificate(folder: string, other?: RedisServer): string {
  if (other !== undefined) {
    for (const name of ['cert.pem', 'key.pem']) {
      copyFileSync(join(other.folder, name), join(folder, name));
    }
    return readFileSync(join(folder, 'cert.pem'), 'utf8');
  }
  const words =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 ' +
    '-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1,DNS:localhost ' +
    '-keyout key.pem -out cert.pem';
  execFileSync(requireProgram('openssl'), words.split(' '), { cwd: folder, stdio: 'pipe' });
  return readFileSync(join(folder, 'cert.pem'), 'utf8');
}
