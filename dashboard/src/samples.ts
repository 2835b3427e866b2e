import type { QueueInfo } from './api/types.ts';

/** How many samples a sparkline has: at one every two seconds, two minutes. */
const KEPT = 60;
/** Queues whose past is kept; those seen longest ago are forgotten. */
const QUEUES_MAX = 2_000;

const depths = new Map<string, number[]>();

/** Remembers the depth of queues for their sparklines, over all pages. */
export function sample(vhost: string, queues: readonly QueueInfo[]): void {
  for (const { name, messageCount } of queues) {
    const key = `${vhost}\0${name}`;
    const values = depths.get(key) ?? [];
    values.push(messageCount);
    if (values.length > KEPT) values.shift();
    depths.delete(key);
    depths.set(key, values);
  }
  for (const key of depths.keys()) {
    if (depths.size <= QUEUES_MAX) break;
    depths.delete(key);
  }
}

export function depthsOf(vhost: string, name: string): readonly number[] {
  return depths.get(`${vhost}\0${name}`) ?? [];
}
