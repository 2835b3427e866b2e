import type { Connection } from './connection.ts';
import { durabilityOf, onOff, type ServerFacts } from './server-facts.ts';
import { monotonic, wallTime } from './timers.ts';

/** Something that is, or soon may be, in the store's way. */
export interface Finding {
  /** Stable: what kind. */
  readonly code: string;
  readonly message: string;
}

interface TableFacts {
  readonly name: string;
  /** With its indexes. */
  readonly bytes: number;
  readonly liveRows: number;
  readonly deadRows: number;
  /** Milliseconds since the last vacuum, by hand or not; null: never. */
  readonly sinceVacuum: number | null;
}

/** Who keeps vacuum from removing what is dead: a session, a slot or a prepared transaction. */
interface SnapshotHolder {
  readonly kind: 'session' | 'slot' | 'prepared transaction';
  /** The server's process; null where there is none. */
  readonly pid: number | null;
  /** What a session calls itself; a slot's or prepared transaction's name. */
  readonly name: string;
  /** 'idle in transaction', say; null where there is none. */
  readonly state: string | null;
  /** Milliseconds; null: the server does not say. */
  readonly age: number | null;
  /** How many transactions were begun since. */
  readonly transactions: number;
}

/** What the server, and who else uses it, means for the store. */
export interface Surroundings {
  readonly server: ServerFacts;
  /** Milliseconds of a round trip, the median of several. */
  readonly latency: number;
  /** Milliseconds by which the server's clock is ahead of this machine's. */
  readonly clockDifference: number;
  readonly tables: readonly TableFacts[];
  /** The one that held on longest. */
  readonly oldestSnapshot: SnapshotHolder | null;
}

const ROUND_TRIPS = 9;

const TABLES = `
  SELECT relname AS name, pg_total_relation_size(relid) AS bytes, n_live_tup AS "liveRows",
    n_dead_tup AS "deadRows",
    extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 * 1000
      AS "sinceVacuum"
  FROM pg_stat_user_tables WHERE schemaname = $1 ORDER BY bytes DESC`;

const OLDEST_SNAPSHOT = `
  SELECT * FROM (
    SELECT 'session' AS kind, pid, application_name AS name, state,
      extract(epoch FROM clock_timestamp() - xact_start)::float8 * 1000 AS age,
      age(coalesce(backend_xmin, backend_xid)) AS transactions
    FROM pg_stat_activity
    WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND pid <> pg_backend_pid()
      AND backend_type <> 'autovacuum worker'
    UNION ALL
    SELECT 'slot', active_pid, slot_name, null, null, greatest(age(xmin), age(catalog_xmin))
    FROM pg_replication_slots WHERE coalesce(xmin, catalog_xmin) IS NOT NULL
    UNION ALL
    SELECT 'prepared transaction', null, gid, null,
      extract(epoch FROM clock_timestamp() - prepared)::float8 * 1000, age(transaction)
    FROM pg_prepared_xacts
  ) AS holders
  ORDER BY age DESC NULLS LAST, transactions DESC LIMIT 1`;

/** Looks around, without changing anything. */
export async function lookAround(connection: Connection): Promise<Surroundings> {
  const { latency, clockDifference } = await measure(connection);
  const { schema, server } = connection;
  const tables = await connection.query<TableFacts>(TABLES, [schema]);
  const [oldestSnapshot = null] = await connection.query<SnapshotHolder>(OLDEST_SNAPSHOT);
  return { server, latency, clockDifference, tables, oldestSnapshot };
}

async function measure(
  connection: Connection,
): Promise<Pick<Surroundings, 'latency' | 'clockDifference'>> {
  const trips: { readonly ms: number; readonly difference: number }[] = [];
  for (let n = 0; n < ROUND_TRIPS; n += 1) {
    const begin = monotonic();
    const [row] = await connection.query<{ now: number }>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now',
    );
    const ms = monotonic() - begin;
    trips.push({ ms, difference: row!.now + ms / 2 - wallTime() });
  }
  const sorted = trips.toSorted((a, b) => a.ms - b.ms);
  // Of the fastest is the least uncertain when the server answered.
  const { difference } = sorted[0]!;
  return {
    latency: sorted[Math.floor(ROUND_TRIPS / 2)]!.ms,
    clockDifference: Math.round(difference),
  };
}

const CLOCK_DIFFERENCE_MAX_MS = 1_000;
const LATENCY_MAX_MS = 20;
const SNAPSHOT_AGE_MAX_MS = 60_000;
const SLOT_AGE_MAX = 1_000_000;
/** More than vacuum leaves alone by its settings for our tables. */
const DEAD_ROWS_MAX = 500_000;

/** @returns what may lose messages, or make the store slow */
export function warningsOf({
  server,
  latency,
  clockDifference,
  tables,
  oldestSnapshot,
}: Surroundings): readonly Finding[] {
  const findings: Finding[] = [];
  if (durabilityOf(server) !== 'power') {
    const { fsync, fullPageWrites, synchronousCommit } = server;
    findings.push({
      code: 'durability',
      message:
        `A crash of the server may lose confirmed messages: fsync = ${onOff(fsync)}, full_page_writes = ` +
        `${onOff(fullPageWrites)}, synchronous_commit = ${synchronousCommit}. Set all three to on.`,
    });
  }
  if (Math.abs(clockDifference) > CLOCK_DIFFERENCE_MAX_MS) {
    findings.push({
      code: 'clock',
      message:
        `The server's clock is ${clockDifference} ms ahead of this machine's. Messages go by the ` +
        "server's; a deliverAt that is computed here will be that much off.",
    });
  }
  if (latency > LATENCY_MAX_MS) {
    findings.push({
      code: 'latency',
      message: `A round trip to the server takes ${latency.toFixed(1)} ms. Every call takes one.`,
    });
  }
  findings.push(...snapshotWarnings(oldestSnapshot), ...tables.flatMap(deadRowWarnings));
  return findings;
}

function snapshotWarnings(holder: SnapshotHolder | null): Finding[] {
  if (holder === null) return [];
  const { kind, pid, name, state, age, transactions } = holder;
  if ((age ?? 0) <= SNAPSHOT_AGE_MAX_MS && transactions <= SLOT_AGE_MAX) return [];
  const who = `${kind} ${name === '' ? '(no application_name)' : `'${name}'`}`;
  const facts = [
    pid === null ? [] : `process ${pid}`,
    state ?? [],
    age === null ? [] : `for ${Math.round(age / 1_000)} s`,
    `${transactions} transactions old`,
  ];
  return [
    {
      code: 'old-snapshot',
      message:
        `A ${who} (${facts.flat().join(', ')}) keeps vacuum from removing what is dead, in the whole ` +
        'database. End it, with pg_terminate_backend if need be.',
    },
  ];
}

function deadRowWarnings({ name, deadRows, liveRows, sinceVacuum }: TableFacts): Finding[] {
  if (deadRows <= Math.max(DEAD_ROWS_MAX, liveRows)) return [];
  const when = sinceVacuum === null ? 'never' : `${Math.round(sinceVacuum / 1_000)} s ago`;
  return [
    {
      code: 'dead-rows',
      message:
        `Table '${name}' has ${deadRows} dead rows; it was vacuumed ${when}. See that autovacuum is on ` +
        'and not held up (an old snapshot, too few workers), or run VACUUM.',
    },
  ];
}
