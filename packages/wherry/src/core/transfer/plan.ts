import { differingSettings, type QueueSettings } from '../queue-settings.ts';
import { readDefinitions, settingsFor } from './definitions.ts';
import { schedulesOf } from './schedules.ts';
import type { Side } from './side.ts';

/** What a transfer would do with a queue. */
export interface PlannedQueue {
  readonly name: string;
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly bytes: number;
  /** Whether the target has such a queue. */
  readonly exists: boolean;
  /** The settings that differ there. */
  readonly differing: readonly string[];
}

export interface TransferPlan {
  readonly queues: readonly PlannedQueue[];
  readonly exchanges: number;
  readonly bindings: number;
  readonly schedules: number;
}

/**
 * @param target null: a store that is not there yet
 * @param names only these queues; left out: all
 * @throws QueueNotFoundError
 */
export async function planTransfer(
  source: Side,
  target: Side | null,
  names?: readonly string[],
): Promise<TransferPlan> {
  const definitions = readDefinitions(source.topology, names);
  const { queues, exchanges, bindings } = definitions;
  const planned = queues.map(async ({ name, settings }) => {
    const counts = await source.driver.counts(source.topology.ref(name));
    const { ready, scheduled, leased, bytes } = counts;
    const present = target?.topology.findQueue(name)?.settings;
    const differing = present === undefined ? [] : differingAt(target!, settings, present);
    return { name, ready, scheduled, leased, bytes, exists: present !== undefined, differing };
  });
  return {
    queues: await Promise.all(planned),
    exchanges: exchanges.length,
    bindings: bindings.length,
    schedules: schedulesOf(source, definitions).length,
  };
}

function differingAt(target: Side, settings: QueueSettings, present: QueueSettings): string[] {
  return differingSettings(settingsFor(target, settings), present);
}
