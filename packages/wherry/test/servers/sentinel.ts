/**
 * A master, its replica and three Sentinels that watch them, for tests:
 *
 *     const group = await startSentinels();
 *     after(() => group.stop());
 *     const client = new Redis({ sentinels: group.sentinels, name: group.name });
 *
 * `group.master.kill()` makes the Sentinels promote the replica some two seconds later;
 * `group.failover()` asks them to do it now.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { type RedisOptions, type RedisServer, startRedis, tlsSettings } from './redis.ts';
import { ServerProcess, poll, removeFolder, serverFolder } from './server-process.ts';

const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 1_000;
const FAILOVER_MS = 3_000;
const NAME = 'wherry';

/** Where a Sentinel listens. */
export interface SentinelAddress {
  readonly host: string;
  readonly port: number;
}

/** A Sentinel's process, which keeps what it knows in its configuration. */
interface Sentinel extends SentinelAddress {
  readonly folder: string;
  readonly process: ServerProcess;
}

/** A master, a replica and their Sentinels. */
export class SentinelGroup {
  readonly name: string = NAME;
  readonly #servers: [RedisServer, RedisServer];
  readonly #sentinels: readonly Sentinel[];

  constructor(servers: [RedisServer, RedisServer], sentinels: readonly Sentinel[]) {
    this.#servers = servers;
    this.#sentinels = sentinels;
  }

  get sentinels(): SentinelAddress[] {
    return this.#sentinels.map(({ host, port }) => ({ host, port }));
  }

  /** The server that was started as the master, or took over in `failover` or `untilMaster`. */
  get master(): RedisServer {
    return this.#servers[0];
  }

  get replica(): RedisServer {
    return this.#servers[1];
  }

  /** A file with the certificate that all have, where they speak TLS. */
  get certificateFile(): string {
    return join(this.master.folder, 'cert.pem');
  }

  /** Asks the Sentinels to promote the replica. @returns the new master, when all agree */
  async failover(): Promise<RedisServer> {
    await this.#ask(this.#sentinels[0]!, ['SENTINEL', 'FAILOVER', NAME]);
    return this.untilMaster(this.replica);
  }

  /** Waits until every Sentinel names this server and it takes writes. @returns it */
  async untilMaster(server: RedisServer): Promise<RedisServer> {
    await poll(async () => {
      const ask = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME];
      const answers = await Promise.all(this.#sentinels.map((each) => this.#ask(each, ask)));
      const isNamed = answers.every((address) => Number((address as string[])[1]) === server.port);
      return isNamed && (await server.cli('role')).startsWith('master');
    }, `${server.url} is the master`);
    if (server === this.replica) this.#servers.reverse();
    return server;
  }

  /** Waits until the replica has its master, and the Sentinels know both and each other. */
  async untilReady(): Promise<void> {
    await poll(
      async () => (await this.replica.cli('info', 'replication')).includes('link_status:up'),
      'the replica has its master',
    );
    await poll(async () => {
      const ask = ['SENTINEL', 'MASTER', NAME];
      const answers = await Promise.all(this.#sentinels.map((each) => this.#ask(each, ask)));
      return answers.every((answer) => {
        const pairs = answer as string[];
        const value = (name: string): number => Number(pairs[pairs.indexOf(name) + 1]);
        return value('num-slaves') === 1 && value('num-other-sentinels') === SENTINELS - 1;
      });
    }, 'the Sentinels know each other');
  }

  /** Lets every server and Sentinel hang: connections stay open, nothing is answered. */
  pause(): void {
    for (const one of [...this.#servers, ...this.#sentinels.map((each) => each.process)]) {
      if (one instanceof ServerProcess) one.signal('SIGSTOP');
      else one.pause();
    }
  }

  /** Ends every server and removes its folder. */
  async stop(): Promise<void> {
    await Promise.all(
      this.#sentinels.map(async ({ process: server, folder }) => {
        await server.end('SIGKILL');
        removeFolder(folder);
      }),
    );
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  async #ask({ host, port }: Sentinel, [command, ...args]: string[]): Promise<unknown> {
    const { ca } = this.master;
    const client = new Redis({ host, port, ...(ca !== undefined && { tls: { ca } }) });
    try {
      return await client.call(command!, ...args);
    } finally {
      client.disconnect();
    }
  }
}

/** Starts the group and waits until a failover would work. */
export async function startSentinels(
  options: Pick<RedisOptions, 'config' | 'tls'> = {},
): Promise<SentinelGroup> {
  const master = await startRedis(options);
  const replica = await startRedis({
    ...options,
    certificateOf: master,
    config: { ...options.config, replicaof: `127.0.0.1 ${master.port}` },
  });
  const sentinels: Sentinel[] = [];
  for (let i = 0; i < SENTINELS; i++) sentinels.push(await startSentinel(master));
  const group = new SentinelGroup([master, replica], sentinels);
  try {
    await group.untilReady();
  } catch (error) {
    await group.stop();
    throw error;
  }
  return group;
}

async function startSentinel(master: RedisServer): Promise<Sentinel> {
  const port = await freePort();
  const folder = serverFolder('sentinel');
  const file = join(folder, 'sentinel.conf');
  const secure = { 'tls-replication': 'yes', ...tlsSettings(port, master.folder) };
  const lines = [
    ...Object.entries(master.ca === undefined ? { port } : secure).map((line) => line.join(' ')),
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${master.port} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} ${FAILOVER_MS}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const command = { program: 'redis-sentinel', args: [file], ready: /\+monitor master/ } as const;
  return { host: '127.0.0.1', port, folder, process: await ServerProcess.start(command, folder) };
}
