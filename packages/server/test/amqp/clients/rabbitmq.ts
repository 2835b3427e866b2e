/**
 * A real RabbitMQ on a free port of the loopback address, in a temporary folder, to compare with.
 * It has users and rights as `broker.ts` gives them to ours.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../../wherry/test/servers/free-port.ts';
import {
  poll,
  removeFolder,
  serverFolder,
  ServerProcess,
} from '../../../../wherry/test/servers/server-process.ts';
import type { AmqpBroker } from './broker.ts';

/** Past Debian's wrapper, which insists on its own folders and user. */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

const DEFINITIONS = {
  vhosts: [{ name: '/' }],
  users: [
    { name: 'guest', password: 'guest-password', tags: ['administrator'] },
    { name: 'limited', password: 'limited-password', tags: [] },
  ],
  permissions: [
    { user: 'guest', vhost: '/', configure: '.*', write: '.*', read: '.*' },
    { user: 'limited', vhost: '/', configure: '^$', write: '^limited\\.', read: '^$' },
  ],
};

export class RabbitMq implements AmqpBroker {
  readonly url: string;
  readonly #folder: string;
  readonly #environment: readonly string[];
  readonly #portMapper: ServerProcess;
  #server: ServerProcess | undefined;

  private constructor(
    port: number,
    folder: string,
    environment: readonly string[],
    mapper: ServerProcess,
  ) {
    this.url = `amqp://guest:guest-password@127.0.0.1:${port}/`;
    this.#folder = folder;
    this.#environment = environment;
    this.#portMapper = mapper;
  }

  static async start(): Promise<RabbitMq> {
    const folder = serverFolder('rabbitmq');
    const [port, mapperPort, nodePort] = [await freePort(), await freePort(), await freePort()];
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const config = {
      'listeners.tcp.1': `127.0.0.1:${port}`,
      load_definitions: file('definitions.json', JSON.stringify(DEFINITIONS)),
      'log.console': 'true',
      'log.file': 'false',
    };
    const lines = Object.entries(config).map(([key, value]) => `${key} = ${value}\n`);
    const environment = {
      HOME: folder,
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: mapperPort,
      RABBITMQ_NODENAME: `wherry-${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: port,
      RABBITMQ_DIST_PORT: nodePort,
      RABBITMQ_MNESIA_BASE: folder,
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_CONF_ENV_FILE: file('environment', ''),
      RABBITMQ_CONFIG_FILE: file('rabbitmq.conf', lines.join('')),
      RABBITMQ_ENABLED_PLUGINS_FILE: file('plugins', '[].'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      // Without a shell in between that would have to be killed too.
      RUNNING_UNDER_SYSTEMD: 'true',
    };
    // Nodes find each other by it. One that a node starts would outlive the node.
    const args = ['epmd', '-debug', '-port', String(mapperPort), '-address', '127.0.0.1'];
    const mapperFolder = serverFolder('epmd');
    const mapper = await ServerProcess.start(
      { program: 'env', args, ready: /epmd running/ },
      mapperFolder,
    );
    const settings = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
    const broker = new RabbitMq(port, folder, settings, mapper);
    await broker.restart();
    return broker;
  }

  /** Of the process that does all the work. */
  get pid(): number {
    return this.#server!.pid;
  }

  async restart(): Promise<void> {
    await this.#server?.end('SIGKILL');
    const args = [...this.#environment, SERVER];
    const ready = /Server startup complete/;
    // The name of a node that was killed is free as soon as the kernel has closed its connection.
    this.#server = await ServerProcess.start({ program: 'env', args, ready }, this.#folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.end('SIGKILL');
    await this.#portMapper.end('SIGKILL');
    await poll(() => !this.#portMapper.isRunning, 'the port mapper is gone');
    removeFolder(this.#folder);
  }
}
