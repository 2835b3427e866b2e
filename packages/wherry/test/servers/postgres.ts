/**
 * A real PostgreSQL for tests, on a free port of the loopback address, in a temporary folder:
 *
 *     const postgres = await startPostgres();
 *     after(() => postgres.stop());
 *     const pool = new Pool({ connectionString: await postgres.createDatabase() });
 *
 * Making a server takes about a second: share it in a test file, with a database for each test.
 * Nothing that makes it safe is switched off, unless told otherwise.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import {
  type ServerCommand,
  ServerProcess,
  childrenOf,
  isAlive,
  poll,
  removeFolder,
  runAs,
  serverFolder,
} from './server-process.ts';

/** PostgreSQL refuses to run as root; its package brings this user. */
export const POSTGRES_USER = 'postgres';

/** How a server ends: after its clients' transactions are rolled back, or without writing a thing. */
export type PostgresStopMode = 'fast' | 'immediate';

const STOP_SIGNAL = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** How to start a PostgreSQL. */
export interface PostgresOptions {
  /** Lines of postgresql.conf. */
  readonly config?: Readonly<Record<string, string | number>>;
}

/** A PostgreSQL server. */
export class PostgresServer {
  /** Of the database `postgres`, as its superuser, who needs no password. */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly #command: ServerCommand;
  #process: ServerProcess | undefined;
  #databases = 0;

  constructor(port: number, { config = {} }: PostgresOptions) {
    this.port = port;
    this.folder = serverFolder('postgres', POSTGRES_USER);
    this.url = this.#urlOf('postgres');
    const data = join(this.folder, 'data');
    const how = ['--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
    runAs(POSTGRES_USER, 'initdb', ['--pgdata', data, '--username=postgres', ...how]);
    writeFileSync(join(data, 'postgresql.auto.conf'), configuration(port, config));
    const ready = /ready to accept connections/;
    this.#command = { program: 'postgres', args: ['-D', data], ready, user: POSTGRES_USER };
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
  async restart(mode: PostgresStopMode = 'fast'): Promise<void> {
    await this.#process?.end(STOP_SIGNAL[mode]);
    this.#process = await ServerProcess.start(this.#command, this.folder);
  }

  /** Ends it, and every process of a session, as a crash would; `restart` brings it back. */
  async kill(): Promise<void> {
    if (this.#process?.isRunning !== true) return;
    const children = childrenOf(this.pid);
    await this.#process.end('SIGKILL');
    for (const child of children) signal(child, 'SIGKILL');
    await poll(() => !children.some((child) => isAlive(child)), 'every process is gone');
  }

  /** Lets all its sessions hang: connections stay open, nothing is answered. */
  pause(): void {
    for (const pid of [this.pid, ...childrenOf(this.pid)]) signal(pid, 'SIGSTOP');
  }

  continue(): void {
    for (const pid of [this.pid, ...childrenOf(this.pid)]) signal(pid, 'SIGCONT');
  }

  /** Ends it for good and removes its folder. */
  async stop(mode: PostgresStopMode = 'immediate'): Promise<void> {
    await this.#process?.end(STOP_SIGNAL[mode]);
    removeFolder(this.folder);
  }

  /** @returns the URL of a new, empty database */
  async createDatabase(): Promise<string> {
    const name = `test_${(this.#databases += 1)}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.#urlOf(name);
  }

  /** Runs one statement in the database `postgres`. @returns its rows */
  async query(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    try {
      const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
      return rows;
    } finally {
      await client.end();
    }
  }

  #urlOf(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }
}

/** Makes a server, starts it and waits until it answers. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = new PostgresServer(await freePort(), options);
  await server.restart();
  return server;
}

function configuration(port: number, config: PostgresOptions['config']): string {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port,
    max_connections: 200,
    ...config,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
  return `${lines.join('\n')}\n`;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}
