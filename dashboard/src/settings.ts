import { durationInput } from './format.ts';
import type { Backoff } from './api/types.ts';

type Kind =
  | 'count'
  | 'bytes'
  | 'duration'
  | 'queue'
  | 'overflow'
  | 'text'
  | 'bound'
  | 'flag'
  | 'rate'
  | 'number';

/** One setting of a queue as a form shows it. A dotted key is a field of an object. */
export interface Setting {
  readonly key: string;
  readonly label: string;
  readonly kind: Kind;
  readonly help: string;
  /** Only when the queue is made. */
  readonly fixed?: boolean;
}

export interface SettingGroup {
  readonly title: string;
  readonly settings: readonly Setting[];
}

const setting = (key: string, label: string, kind: Kind, help: string): Setting => ({
  key,
  label,
  kind,
  help,
});

/** In the order in which people ask for them. */
export const SETTING_GROUPS: readonly SettingGroup[] = [
  {
    title: 'Retries and dead letters',
    settings: [
      setting('maxRetries', 'Retries', 'number', 'How often a failed message is tried again.'),
      setting('deadLetterQueue', 'Dead-letter queue', 'queue', "Empty: the system's."),
      setting('deadLetterExchange', 'Dead-letter exchange', 'text', 'Instead of a queue.'),
      setting('deadLetterRoutingKey', 'Dead-letter key', 'text', "Empty: the message's own."),
      setting('backoff.delay', 'First back-off', 'duration', 'The wait before the first retry.'),
      setting('backoff.factor', 'Back-off factor', 'number', 'Each further wait is longer by it.'),
      setting('backoff.maxDelay', 'Longest back-off', 'duration', 'No wait is longer.'),
      setting('leaseDuration', 'Lease', 'duration', 'How long a consumer may hold a message.'),
    ],
  },
  {
    title: 'Bounds',
    settings: [
      setting('maxSize', 'Most messages', 'count', 'In all states. Empty: no bound.'),
      setting('maxBytes', 'Most bytes', 'bytes', 'In all states. Empty: no bound.'),
      setting('boundOn', 'Bounds count', 'bound', 'All that is stored, or what waits.'),
      setting('overflow', 'When full', 'overflow', 'What happens to a send at the bound.'),
      setting(
        'messageTtl',
        'Time to live',
        'duration',
        'How long a message may wait. Empty: for ever.',
      ),
      setting('expiresAfterIdle', 'Delete when idle', 'duration', 'Empty: never.'),
      setting('deduplicationWindow', 'Deduplication', 'duration', 'How long an id is remembered.'),
      setting('maxPriority', 'Highest priority', 'count', 'Higher ones count as it. Empty: 255.'),
    ],
  },
  {
    title: 'Pace',
    settings: [
      setting('maxInFlight', 'Most in flight', 'count', 'To all consumers. Empty: no bound.'),
      setting('groupMaxInFlight', 'In flight of a group', 'count', '1: strictly in order.'),
      setting('rateLimit', 'Rate limit', 'rate', 'Such as 100/1s. Empty: no limit.'),
      setting(
        'groupRateLimit',
        'Rate limit of a group',
        'rate',
        'The same for each group by itself.',
      ),
    ],
  },
  {
    title: 'Kind',
    settings: [
      { ...setting('durable', 'Durable', 'flag', 'No: in memory only, and faster.'), fixed: true },
      {
        ...setting('partitions', 'Partitions', 'count', 'Over nodes of a Redis Cluster.'),
        fixed: true,
      },
    ],
  },
];

const ALL = SETTING_GROUPS.flatMap(({ settings }) => settings);

/** The texts of a form. */
export type Texts = Readonly<Record<string, string>>;

/** What a form shows for settings as the API tells them. */
export function textsOf(settings: Readonly<Record<string, unknown>>): Texts {
  return Object.fromEntries(
    ALL.map((entry) => [entry.key, textOf(entry, valueAt(settings, entry))]),
  );
}

type Value = string | number | boolean | null | { readonly max: number; readonly per: number };

function valueAt(settings: Readonly<Record<string, unknown>>, { key }: Setting): Value {
  const [head, tail] = key.split('.') as [string, string?];
  const value = settings[head];
  return (tail === undefined ? value : (value as Backoff)[tail as keyof Backoff]) as Value;
}

function textOf({ kind }: Setting, value: Value): string {
  if (value === null) return '';
  if (typeof value === 'object') return `${value.max}/${durationInput(value.per)}`;
  return kind === 'duration' ? durationInput(value as number) : String(value);
}

/** What to ask of the broker so that settings change from one form to another. */
export function changesBetween(before: Texts, after: Texts): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const entry of ALL) {
    const text = (after[entry.key] ?? '').trim();
    if (text === (before[entry.key] ?? '')) continue;
    const [head, tail] = entry.key.split('.') as [string, string?];
    const value = inputOf(entry, text);
    changes[head] = tail === undefined ? value : { ...(changes[head] as object), [tail]: value };
  }
  return changes;
}

/** Whatever is not of the kind goes to the broker as it is: it says best what is wrong. */
function inputOf({ kind }: Setting, text: string): unknown {
  if (text === '') return null;
  if (kind === 'flag') return text === 'true';
  if (kind === 'rate') {
    const [max, per] = text.split('/');
    return { max: numberOr(max!), per: numberOr(per ?? '') };
  }
  return ['queue', 'overflow', 'text', 'bound'].includes(kind) ? text : numberOr(text);
}

function numberOr(text: string): number | string {
  return /^-?\d+(\.\d+)?$/u.test(text) ? Number(text) : text;
}
