/**
 * A real PgBouncer in front of a test's PostgreSQL:
 *
 *     const bouncer = await startPgBouncer(postgres);
 *     after(() => bouncer.stop());
 *     const pool = new Pool({ connectionString: bouncer.urlOf(await postgres.createDatabase()) });
 */
import { chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { POSTGRES_USER, type PostgresServer } from './postgres.ts';
import { ServerProcess, removeFolder, serverFolder } from './server-process.ts';

/** How PgBouncer shares its connections. */
export interface PgBouncerOptions {
  /** For how long a client keeps a connection of the server. */
  readonly poolMode?: 'session' | 'transaction' | 'statement';
  /** Lines of pgbouncer.ini. */
  readonly config?: Readonly<Record<string, string | number>>;
}

/** A running PgBouncer. */
export class PgBouncer {
  readonly port: number;
  readonly folder: string;
  readonly #process: ServerProcess;

  constructor(port: number, folder: string, server: ServerProcess) {
    this.port = port;
    this.folder = folder;
    this.#process = server;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** @returns where the database with the URL `databaseUrl` is reached through this */
  urlOf(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.port = String(this.port);
    return url.href;
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await this.#process.end('SIGKILL');
    removeFolder(this.folder);
  }
}

/** Starts a PgBouncer that passes every database of `postgres` on. */
export async function startPgBouncer(
  postgres: PostgresServer,
  options: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const { poolMode = 'transaction', config = {} } = options;
  const port = await freePort();
  const folder = serverFolder('pgbouncer', POSTGRES_USER);
  const users = join(folder, 'users.txt');
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(users, '"postgres" ""\n');
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: users,
    pool_mode: poolMode,
    max_client_conn: 500,
    default_pool_size: 20,
    ignore_startup_parameters: 'extra_float_digits',
    ...config,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const target = `* = host=127.0.0.1 port=${postgres.port} user=postgres`;
  writeFileSync(file, `[databases]\n${target}\n\n[pgbouncer]\n${lines.join('\n')}\n`);
  const { uid, gid } = statSync(folder);
  for (const each of [users, file]) chownSync(each, uid, gid);
  const server = await ServerProcess.start(
    { program: 'pgbouncer', args: [file], ready: /process up/, user: POSTGRES_USER },
    folder,
  );
  return new PgBouncer(port, folder, server);
}
