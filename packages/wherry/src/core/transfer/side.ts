import { DurabilitySplit } from '../durability-split.ts';
import type { Driver } from '../driver.ts';
import type { Topology } from '../topology.ts';

/** An opened store with what it knows of its queues: the source or the target of a transfer. */
export interface Side {
  readonly driver: Driver;
  readonly topology: Topology;
}

/** Whether a queue's messages would be in the memory of this process only, and end with it. */
export function isVolatile({ driver, topology }: Side, queueName: string): boolean {
  return driver instanceof DurabilitySplit && !topology.ref(queueName).durable;
}
