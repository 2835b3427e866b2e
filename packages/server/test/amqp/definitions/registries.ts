import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { brokerPort, MessageQueueSystem } from 'wherry';
import { AmqpError } from '../../../src/protocols/amqp/errors.ts';
import type { Table } from '../../../src/protocols/amqp/table.ts';
import { ExchangeRegistry } from '../../../src/servers/amqp/definitions/exchange-registry.ts';
import {
  type QueueDeclaration,
  QueueRegistry,
} from '../../../src/servers/amqp/definitions/queue-registry.ts';
import { DefinitionLimits, type DefinitionsMax } from '../../../src/vhosts/definition-limits.ts';

export const NOTHING: Table = new Map();

export interface Registries {
  readonly mq: MessageQueueSystem;
  readonly queues: QueueRegistry;
  readonly exchanges: ExchangeRegistry;
  /** What went wrong unseen: it stays empty. */
  readonly errors: readonly unknown[];
}

const PLENTY: DefinitionsMax = { queues: 1_000, exchanges: 1_000, bindings: 1_000 };

export async function open(
  t: TestContext,
  storage = 'memory:',
  max: DefinitionsMax = PLENTY,
): Promise<Registries> {
  const mq = await MessageQueueSystem.open({ storage });
  t.after(() => mq.close());
  const errors: unknown[] = [];
  const onError = (error: unknown): number => errors.push(error);
  const port = brokerPort(mq);
  const limits = new DefinitionLimits('/', mq, max);
  const parts = { vhost: '/', mq, port, limits, instance: 'one', onError };
  return { mq, queues: new QueueRegistry(parts), exchanges: new ExchangeRegistry(parts), errors };
}

/** In a store that takes its time: what comes meanwhile finds things half done. */
export async function openSlow(t: TestContext): Promise<Registries> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-registry-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return open(t, `lmdb:${folder}`);
}

export function declaration(
  name: string,
  changed: Partial<QueueDeclaration> = {},
): QueueDeclaration {
  const properties = { durable: true, exclusive: false, autoDelete: false };
  return { name, ...properties, arguments: NOTHING, connectionId: 'c1', ...changed };
}

export function refused(code: number, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof AmqpError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}
