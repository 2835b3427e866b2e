export interface Migration {
  readonly number: number;
  readonly title: string;
  /** In the folder sql, in this order. A function that a later one replaces is in that one's only. */
  readonly files: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    title: 'the store',
    files: [
      'announce.sql',
      'topology.sql',
      'tables.sql',
      'now.sql',
      'locks.sql',
      'strands.sql',
      'registers.sql',
      'queues.sql',
      'envelopes.sql',
      'frontier.sql',
      'groups.sql',
      'rates.sql',
      'deduplication.sql',
      'arrival.sql',
      'room.sql',
      'publish.sql',
      'publish_each.sql',
      'leases.sql',
      'choose.sql',
      'take.sql',
      'take_by_ids.sql',
      'settle.sql',
      'release.sql',
      'extend.sql',
      'move.sql',
      'sweep.sql',
      'browse.sql',
      'counts.sql',
      'purge.sql',
    ],
  },
  {
    number: 2,
    title: 'the highest priority of a queue, bounds on what waits',
    files: ['store_message.sql', 'exceeded_limit.sql'],
  },
];
