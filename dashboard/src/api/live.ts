import { effect, type Signal, signal } from '@preact/signals';
import { vhost } from '../router.ts';
import { inVhost } from './client.ts';
import { checkConnection, isConnected } from './connection.ts';
import { identity } from './session.ts';

/** Something that happened in the broker and that a person may want to know. */
export interface LiveEvent {
  readonly type: string;
  /** When it came. */
  readonly at: number;
  /** How often the same was told, of other messages. */
  readonly count: number;
  readonly queue?: string;
  readonly id?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly error?: string;
  readonly schedule?: string;
  readonly delay?: number;
  readonly consumerId?: string;
}

/** Of the traffic itself there are too many to show: rates tell it better. */
const TYPES = ['deadLettered', 'parked', 'expired', 'dropped', 'leaseLost', 'scheduleError'];
const KEPT = 30;
const RETRY_MS = 3_000;

/**
 * A browser has six connections to a broker for all its tabs, and a stream takes one for as long as
 * it is open: those that nobody looks at give theirs back.
 */
const isVisible: Signal<boolean> = signal(!document.hidden);

/** The last things that happened in the present virtual host, latest first. */
export const happenings: Signal<readonly LiveEvent[]> = signal([]);

/** Listens to the present virtual host for as long as somebody is logged in. */
export function startLive(): void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = (url: string): void => {
    source = new EventSource(url);
    for (const type of TYPES) source.addEventListener(type, (event) => note(type, event));
    source.addEventListener('error', () => {
      if (source?.readyState === EventSource.CONNECTING) void checkConnection();
      // The broker refused: it will not be asked again by itself.
      else timer = setTimeout(() => open(url), RETRY_MS);
    });
  };
  document.addEventListener('visibilitychange', () => {
    isVisible.value = !document.hidden;
  });
  effect(() => {
    source?.close();
    clearTimeout(timer);
    if (!identity.value || !isConnected.value || !isVisible.value) return;
    open(`${inVhost('events')}?types=${TYPES.join(',')}`);
  });
  effect(() => {
    void vhost.value;
    happenings.value = [];
  });
}

function note(type: string, { data }: MessageEvent<string>): void {
  const told = { ...(JSON.parse(data) as object), at: Date.now(), type, count: 1 } as LiveEvent;
  const before = happenings.value.find((event) => kindOf(event) === kindOf(told));
  const others = happenings.value.filter((event) => event !== before);
  const event = { ...told, count: (before?.count ?? 0) + 1 };
  happenings.value = [event, ...others].slice(0, KEPT);
}

/** The same for events that read alike: they are told once, with their number. */
export function kindOf({ type, queue, to, reason, schedule, error }: LiveEvent): string {
  return JSON.stringify([type, queue, to, reason, schedule, error]);
}
