import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { childrenOf } from '../../packages/wherry/test/servers/server-process.ts';
import type { Figures, RunContext } from '../harness/benchmark.ts';
import { FIRST_NUMBER } from '../workloads/payload.ts';
import { toQueue } from './client.ts';
import { openAll, QUEUE } from './turns.ts';

const BYTES = 100;
const DEPTH = 1_000;
/** For what a server does after it has confirmed everything. */
const SETTLE_MS = 5_000;

/**
 * Publishes so many messages as the setting `waiting` says, which stay.
 * @returns for each server its memory in MB: `resident`, with mapped files, and `anonymous`, without
 */
export async function measureMemory(context: RunContext): Promise<Figures> {
  const count = context.isQuick ? DEPTH : context.settings['waiting']!;
  const contestants = await openAll(context, 'lean', 1);
  const figures: Record<string, number> = {};
  for (const contestant of contestants) {
    await contestant.control.declareQueue(QUEUE);
    const messages = { first: FIRST_NUMBER, count, bytes: BYTES };
    await contestant.publish(toQueue(QUEUE), messages, DEPTH);
    await contestant.control.expectWaiting(QUEUE, count);
    if (!context.isQuick) await delay(SETTLE_MS);
    const { name, pid } = contestant.server;
    figures[`${name} resident`] = megabytes('VmRSS', pid);
    figures[`${name} anonymous`] = megabytes('RssAnon', pid);
    await contestant.control.deleteQueue(QUEUE);
    await contestant.close();
  }
  return figures;
}

/** Of a process and those that it started. */
function megabytes(field: string, pid: number): number {
  const kibibytes = [pid, ...childrenOf(pid)].map((one) => {
    const status = readFileSync(`/proc/${one}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN);
  });
  return (kibibytes.reduce((sum, one) => sum + one, 0) * 1_024) / 1e6;
}
