/** The servers of a contest: ours, RabbitMQ for each type of queue, and one that keeps nothing. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RabbitMq } from '../../packages/server/test/amqp/clients/rabbitmq.ts';
import { notInstalled, providePackages } from '../../scripts/system-packages.ts';
import type { RunContext } from '../harness/benchmark.ts';
import { ServerProcess } from '../workloads/broker.ts';

type ServerName = 'ours' | Peer;
/** `classic` and `quorum` are types of RabbitMQ's queues; each has a RabbitMQ to itself. */
export type Peer = 'classic' | 'quorum' | 'sink';

export interface ServerAddress {
  readonly name: ServerName;
  readonly url: string;
  readonly pid: number;
}

interface Running {
  readonly address: ServerAddress;
  readonly server: AsyncDisposable;
}

const FILE = 'servers.json';
const PACKAGE = 'rabbitmq-server';

/** For `Contest.prepare`: starts the servers that the wanted metrics compare. @returns how to stop */
export async function startServers({ shared, beside }: RunContext): Promise<() => Promise<void>> {
  const running: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const { server } of running) await server[Symbol.asyncDispose]();
  };
  try {
    running.push(await startOurs(shared));
    for (const peer of beside as readonly Peer[]) {
      running.push(peer === 'sink' ? await startSink() : await startRabbitMq(peer));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const addresses = running.map(({ address }) => address);
  writeFileSync(join(shared, FILE), JSON.stringify(addresses));
  return stop;
}

/** @returns the servers of a run's contest, ours first */
export function serversOf({ shared }: RunContext): readonly ServerAddress[] {
  return JSON.parse(readFileSync(join(shared, FILE), 'utf8')) as ServerAddress[];
}

async function startOurs(folder: string): Promise<Running> {
  const server = await ServerProcess.start('../amqp/broker-process.ts', join(folder, 'store'));
  return { address: { name: 'ours', url: server.url, pid: server.pid }, server };
}

async function startSink(): Promise<Running> {
  const server = await ServerProcess.start('../amqp/sink-process.ts');
  return { address: { name: 'sink', url: server.url, pid: server.pid }, server };
}

async function startRabbitMq(name: Peer): Promise<Running> {
  if (notInstalled([PACKAGE]).length > 0 && !(await providePackages([PACKAGE]))) {
    throw new Error(`${PACKAGE} is missing; --without classic --without quorum leaves it out.`);
  }
  const server = await RabbitMq.start();
  return { address: { name, url: server.url, pid: server.pid }, server };
}
