import type { TestContext } from 'node:test';
import { type Driver, MessageQueueSystem, type TopologyStore } from 'wherry';
import { type Access, type AccessOptions, openAccess } from '../../src/access/access.ts';
import { CHEAP } from '../broker.ts';

/** A moment that tests move. */
export class Time {
  ms = 1_800_000_000_000;
  readonly now = (): number => this.ms;
}

/** Documents in memory, as a broker's default virtual host has them. */
export async function openTopology(t: TestContext): Promise<TopologyStore> {
  const mq = await MessageQueueSystem.open({ storage: 'memory:' });
  t.after(() => mq.close({ deadline: 0 }));
  return (mq.storage as Driver).topology;
}

/** Access control as a broker on loopback has it. */
export async function openTestAccess(
  t: TestContext,
  options: Partial<AccessOptions> = {},
): Promise<Access> {
  const access = await openAccess({
    topology: options.topology ?? (await openTopology(t)),
    isLocal: true,
    tls: false,
    allowedHosts: [],
    allowedOrigins: [],
    loginsPerMinute: 10,
    passwords: { cost: CHEAP },
    now: Date.now,
    ...options,
  });
  t.after(() => access.close());
  return access;
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
