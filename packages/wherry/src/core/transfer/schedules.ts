import type { Clock } from '../clock.ts';
import type { TopologyEntry } from '../driver.ts';
import { paused, type ScheduleDocument } from '../schedules/document.ts';
import type { Definitions } from './definitions.ts';
import type { Side } from './side.ts';
import { sleep } from './sleep.ts';

const KIND = 'schedule';
/** How long a tick that is being sent at the source may take. */
const PENDING_MS = 60_000;
const LOOK_MS = 50;

/** A schedule whose ticks another store sends now. Should it be resumed here, both would. */
interface MovedSchedule extends ScheduleDocument {
  readonly moved?: true;
}

export interface MovedSchedules {
  readonly moved: number;
  /** Their last tick could not be brought to its end at the source: still there, paused. */
  readonly left: readonly string[];
}

/** Those that send to what is moved. */
export function schedulesOf(
  { topology }: Side,
  { queues, exchanges }: Definitions,
): TopologyEntry[] {
  const names = new Set([
    ...queues.map(({ name }) => `queue/${name}`),
    ...exchanges.map(({ name }) => `exchange/${name}`),
  ]);
  return topology.list(KIND).filter(({ value }) => {
    const { target } = (value as ScheduleDocument).definition;
    const name = target.type === 'queue' ? target.queue : target.exchange;
    return names.has(`${target.type}/${name}`);
  });
}

/**
 * Lets the target send what the schedules of the source would have sent: they are paused at the
 * source, what was due by then is sent there, and the target goes on from that tick. Killed at any
 * moment, it is finished by the next call: no tick is lost or sent by both.
 * @param options.run names this run in what it claims
 */
export async function moveSchedules(
  source: Side,
  target: Side,
  schedules: readonly TopologyEntry[],
  { run, clock }: { readonly run: string; readonly clock: Clock },
): Promise<MovedSchedules> {
  let moved = 0;
  const left: string[] = [];
  for (const { name } of schedules) {
    const now = await source.driver.now();
    await source.topology.put(KIND, name, (present) => {
      const stopped = paused(present?.value as ScheduleDocument, run, now);
      return stopped === null ? null : { ...stopped, moved: true };
    });
    const document = await withoutPending(source, name, clock);
    if (document === null) left.push(name);
    else {
      const { moved: runs, ...rest } = document;
      const copy: ScheduleDocument = { ...rest, paused: runs !== true, claim: null };
      await target.topology.put(KIND, name, (present) => (present === undefined ? copy : null));
      moved++;
    }
  }
  return { moved, left };
}

/** Waits until whoever has ticks of the schedule in hand has sent them. */
async function withoutPending(
  { topology }: Side,
  name: string,
  clock: Clock,
): Promise<MovedSchedule | null> {
  const deadline = clock.now() + PENDING_MS;
  for (;;) {
    const document = topology.find(KIND, name)?.value as MovedSchedule | undefined;
    if (document === undefined) return null;
    if (document.pending.length === 0) return document;
    if (clock.now() >= deadline) return null;
    await sleep(clock, LOOK_MS);
  }
}

/** Makes a schedule that was exported, unless there is one of this name. It makes up for no past tick. */
export async function restoreSchedule(
  { topology }: Side,
  name: string,
  document: ScheduleDocument,
  now: number,
): Promise<void> {
  const after = Math.max(now, document.after);
  const restored: ScheduleDocument = { ...document, after, pending: [], claim: null };
  await topology.put(KIND, name, (present) => (present === undefined ? restored : null));
}
