import type { AmqpContent, Death, DeathReason } from 'wherry';
import type { FieldValue, Table } from '../../../protocols/amqp/table.ts';
import { integerOf, textOf } from '../definitions/argument-checks.ts';

/** As RabbitMQ names them. */
const REASONS: Readonly<Record<DeathReason, string>> = {
  rejected: 'rejected',
  expired: 'expired',
  overflow: 'maxlen',
  'max-retries': 'delivery_limit',
  'lease-expired': 'delivery_limit',
  invalid: 'rejected',
};

/** Counts of deaths, which a client may have sent on, are of 64 bits. */
const COUNT_MAX = 2n ** 63n - 1n;

/**
 * The headers of a message that has died, as RabbitMQ 3.10 writes them: x-death has one entry
 * for each queue and reason, the latest first; the expiration is kept in the entry of the death
 * before which it counted.
 * @param deaths the latest last
 * @param published where the message was sent by its client
 */
export function deadHeaders(
  { expiration, headers }: { readonly expiration: string | undefined; readonly headers: Table },
  deaths: readonly Death[],
  published: Pick<AmqpContent, 'exchange' | 'routingKey'>,
): Table {
  const table = new Map(headers);
  // A client may have sent on what it got with deaths: they go on being counted.
  let entries = tablesIn(table.get('x-death'));
  const first = firstOf(deaths);
  const hadNone = entries.length === 0;
  for (const death of deaths) {
    const originalExpiration = death === first ? expiration : undefined;
    entries = recorded(entries, death, published, {
      expiration: originalExpiration,
      copies: copiesIn(table),
    });
    // A key of its own takes the place of all that it had, CC too.
    if (isRenamed(death)) table.delete('CC');
  }
  if (hadNone) {
    table.set('x-first-death-reason', text(REASONS[first.reason]));
    table.set('x-first-death-queue', text(first.queue));
    table.set('x-first-death-exchange', text(first.route?.exchange ?? published.exchange));
  }
  const value = entries.map((entry): FieldValue => ({ type: 'F', value: entry }));
  table.set('x-death', { type: 'A', value });
  return sorted(table);
}

/** By name, as RabbitMQ leaves the headers that it has changed. */
export function sorted(table: Table): Table {
  return new Map([...table].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The record is in the order of the latest deaths: who goes round died first where most often. */
function firstOf(deaths: readonly Death[]): Death {
  return deaths.reduce((first, death) => (death.count > first.count ? death : first));
}

function tablesIn(field: FieldValue | undefined): Table[] {
  if (field?.type !== 'A') return [];
  return field.value.flatMap((entry) => (entry.type === 'F' ? [entry.value] : []));
}

function recorded(
  entries: readonly Table[],
  death: Death,
  published: Pick<AmqpContent, 'exchange' | 'routingKey'>,
  kept: { readonly expiration: string | undefined; readonly copies: readonly string[] },
): Table[] {
  const reason = REASONS[death.reason];
  const isSame = (entry: Table): boolean =>
    textOf(entry.get('queue')) === death.queue && textOf(entry.get('reason')) === reason;
  const before = entries.find(isSame);
  const others = entries.filter((entry) => !isSame(entry));
  if (before !== undefined) {
    const count = BigInt(integerOf(before.get('count')) ?? 0) + BigInt(death.count);
    const value = count > COUNT_MAX ? COUNT_MAX : count;
    return [sorted(new Map(before).set('count', { type: 'l', value })), ...others];
  }
  const { exchange, routingKeys } = death.route ?? {
    exchange: published.exchange,
    routingKeys: [published.routingKey],
  };
  const entry = new Map<string, FieldValue>([
    ['count', { type: 'l', value: BigInt(death.count) }],
    ['reason', text(reason)],
    ['queue', text(death.queue)],
    ['time', { type: 'T', value: BigInt(Math.floor(death.time / 1_000)) }],
    ['exchange', text(exchange)],
    [
      'routing-keys',
      { type: 'A', value: [...new Set([...routingKeys, ...kept.copies])].map(text) },
    ],
  ]);
  const { expiration } = kept;
  if (expiration !== undefined) entry.set('original-expiration', text(expiration));
  return [entry, ...others];
}

/** Whether a death has given the message a key of its own. */
function isRenamed({ route }: Death): boolean {
  return route !== undefined && route.toRoutingKeys.join('\n') !== route.routingKeys.join('\n');
}

/** The keys of the CC header. */
function copiesIn(table: Table): string[] {
  const field = table.get('CC');
  return field?.type === 'A' ? field.value.flatMap((key) => textOf(key) ?? []) : [];
}

function text(value: string): FieldValue {
  return { type: 'S', value };
}
