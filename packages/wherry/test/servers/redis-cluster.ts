/**
 * A real Redis Cluster for tests:
 *
 *     const cluster = await startRedisCluster({ masters: 3, replicasPerMaster: 1 });
 *     after(() => cluster.stop());
 *     const client = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
 *
 * Every node is a `RedisServer`: `cluster.master(0).kill()` makes its replica take over by itself
 * some two seconds later, `cluster.failover(node)` at once.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { type NodeView, viewOf } from './cluster-view.ts';
import { type RedisOptions, RedisServer } from './redis.ts';
import { poll, requireProgram } from './server-process.ts';

const run = promisify(execFile);
const NODE_TIMEOUT_MS = 1_500;
const KEYS_AT_ONCE = 100;
const PORT_TAKEN = /Address already in use/;

/** The shape of a cluster. */
export interface RedisClusterOptions {
  readonly masters?: number;
  readonly replicasPerMaster?: number;
  /** Lines of every node's redis.conf. */
  readonly config?: RedisOptions['config'];
}

/** A running cluster. */
export class RedisCluster {
  /** First those that were started as masters, then the replicas. */
  readonly nodes: readonly RedisServer[];
  readonly #masters: number;

  constructor(nodes: readonly RedisServer[], masters: number) {
    this.nodes = nodes;
    this.#masters = masters;
  }

  /** Of the first node. */
  get url(): string {
    return this.nodes[0]!.url;
  }

  /** The node that was started as the master of the i-th part of the slots. */
  master(i: number): RedisServer {
    if (i >= this.#masters) throw new RangeError(`There are ${this.#masters} masters`);
    return this.nodes[i]!;
  }

  /** @returns the node that serves the slot now, in the view of a node that runs */
  async ownerOf(slot: number): Promise<RedisServer> {
    const views = await this.#view();
    const owner = views.find(({ slots }) => slots.some(([a, b]) => a <= slot && slot <= b));
    if (owner === undefined) throw new Error(`Nobody serves slot ${slot}`);
    return this.#node(owner.port);
  }

  /** @returns a replica of the node that runs */
  async replicaOf(node: RedisServer): Promise<RedisServer> {
    const views = await this.#view();
    const { id } = views.find(({ port }) => port === node.port)!;
    const replicas = views.filter(({ masterId }) => masterId === id);
    const replica = replicas.map(({ port }) => this.#node(port)).find((each) => each.isRunning);
    if (replica === undefined) throw new Error(`${node.url} has no replica that runs`);
    return replica;
  }

  /**
   * Makes a replica take over from its master.
   * @param mode `undefined` agrees with the master, so that nothing is lost; `TAKEOVER` asks nobody
   * @returns the new master, when every running node knows it
   */
  async failover(master: RedisServer, mode?: 'FORCE' | 'TAKEOVER'): Promise<RedisServer> {
    const replica = await this.replicaOf(master);
    await replica.cli('cluster', 'failover', ...(mode === undefined ? [] : [mode]));
    await this.untilMaster(replica);
    return replica;
  }

  /** Waits until every running node takes `node` for a master and the cluster is whole. */
  async untilMaster(node: RedisServer): Promise<void> {
    await poll(async () => {
      const views = await Promise.all(this.#running().map((each) => viewOf(each)));
      return views.every((view) =>
        view.some(({ port, flags }) => port === node.port && flags.includes('master')),
      );
    }, `${node.url} is a master`);
    await this.untilHealthy();
  }

  /** Waits until every running node says that all slots are served. */
  async untilHealthy(): Promise<void> {
    await poll(async () => {
      const infos = await Promise.all(this.#running().map((node) => node.cli('cluster', 'info')));
      return infos.every((info) => info.includes('cluster_state:ok'));
    }, 'the cluster is whole');
  }

  /** Waits until every replica has its master's data, and every node knows every replica. */
  async untilReplicated(): Promise<void> {
    const replicas = this.nodes.length - this.#masters;
    await poll(async () => {
      const infos = await Promise.all(this.nodes.map((node) => node.cli('info', 'replication')));
      return infos.filter((info) => info.includes('master_link_status:up')).length === replicas;
    }, 'every replica has its master');
    await poll(async () => {
      const views = await Promise.all(this.nodes.map((node) => viewOf(node)));
      return views.every(
        (view) => view.filter(({ masterId }) => masterId !== '-').length === replicas,
      );
    }, 'every node knows every replica');
  }

  /** Moves a slot with its keys to another master while clients go on. @returns how many keys */
  async moveSlot(slot: number, to: RedisServer): Promise<number> {
    const from = await this.ownerOf(slot);
    if (from === to) return 0;
    const [source, target] = [connect(from), connect(to)];
    try {
      const [fromId, toId] = [await source.cluster('MYID'), await target.cluster('MYID')];
      await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
      await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
      const moved = await moveKeys(source, slot, to.port);
      // The new owner first: until then the old one sends clients there.
      await target.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      await source.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      return moved;
    } finally {
      source.disconnect();
      target.disconnect();
    }
  }

  /** Ends every node and removes its folder. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  #running(): RedisServer[] {
    return this.nodes.filter(({ isRunning }) => isRunning);
  }

  async #view(): Promise<NodeView[]> {
    return viewOf(this.#running()[0]!);
  }

  #node(port: number): RedisServer {
    return this.nodes.find((node) => node.port === port)!;
  }
}

/** Starts a cluster and waits until every node says that it is whole. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  for (let triesLeft = 3; ; triesLeft--) {
    try {
      return await startOnce(options);
    } catch (error) {
      // Of a dozen ports that were free one may be another test's by now.
      if (triesLeft === 1 || !PORT_TAKEN.test(String(error))) throw error;
    }
  }
}

async function startOnce(options: RedisClusterOptions): Promise<RedisCluster> {
  const { masters = 3, replicasPerMaster = 1, config = {} } = options;
  const nodes: RedisServer[] = [];
  for (let i = 0; i < masters * (1 + replicasPerMaster); i++) {
    nodes.push(
      new RedisServer(await freePort(), {
        config: {
          'cluster-enabled': 'yes',
          'cluster-node-timeout': NODE_TIMEOUT_MS,
          'cluster-replica-validity-factor': 0,
          ...config,
        },
      }),
    );
  }
  const cluster = new RedisCluster(nodes, masters);
  try {
    await allStarted(nodes);
    await create(nodes, replicasPerMaster);
    await cluster.untilHealthy();
    await cluster.untilReplicated();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** Waits for all of them, so that one that fails leaves none behind that is still on its way. */
async function allStarted(nodes: readonly RedisServer[]): Promise<void> {
  const results = await Promise.allSettled(nodes.map((node) => node.restart()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function create(nodes: readonly RedisServer[], replicas: number): Promise<void> {
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const args = ['--cluster', 'create', ...addresses];
  const shape = ['--cluster-replicas', String(replicas), '--cluster-yes'];
  await run(requireProgram('redis-cli'), [...args, ...shape]);
}

async function moveKeys(source: Redis, slot: number, port: number): Promise<number> {
  for (let moved = 0; ;) {
    const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_ONCE)) as string[];
    if (keys.length === 0) return moved;
    await source.call('MIGRATE', '127.0.0.1', port, '', 0, 5_000, 'KEYS', ...keys);
    moved += keys.length;
  }
}

function connect({ port }: RedisServer): Redis {
  return new Redis({ port, host: '127.0.0.1' });
}
