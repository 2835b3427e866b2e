import type { SweepResult } from '../../core/driver.ts';
import { numbersIn, wordsIn } from './arrays.ts';
import type { DataContext } from './context.ts';
import { tokenOf } from './receipts.ts';
import { type EnvelopesRow, numberAt, unpack } from './record.ts';

interface SweptRow extends EnvelopesRow {
  readonly lease_numbers: string;
  readonly places: string;
  readonly causes: string;
  readonly until: number;
  readonly next_in: number | null;
  readonly woken: string;
  /** JSON: by number. */
  readonly names: string | null;
}

type Cause = SweepResult['messages'][number]['cause'];

const SWEEPER_ID = '#sweeper';

/** Leases what expired to the sweeper, promotes what is due, forgets what is over. */
export async function sweep(
  { database, notifier }: DataContext,
  max: number,
): Promise<SweepResult> {
  const [row] = await database.call<SweptRow>('sweep', [database.clockTime(), max]);
  for (const number of numbersIn(row!.woken)) notifier.happened(number, 'ready');
  const { until } = row!;
  const names = JSON.parse(row!.names ?? '{}') as Record<number, string>;
  const leases = numbersIn(row!.lease_numbers);
  const places = numbersIn(row!.places);
  const causes = wordsIn(row!.causes) as Cause[];
  const queueAt = numberAt(row!.queues ?? '{}');
  const messages = unpack(row!, database.salt, (index, queueNumber) => ({
    queueName: names[queueNumber] ?? '',
    state: 'leased',
    lease: { consumerId: SWEEPER_ID, token: tokenOf(leases[index]!, places[index]!), until },
    isDelivered: causes[index] === 'lease-expired',
  }));
  return {
    messages: messages.map((message, index) => ({
      ...message,
      cause: causes[index]!,
      queue: queueAt(index),
    })),
    nextIn: row!.next_in,
  };
}
