import type { ExaminedServer } from '../drivers/redis/surroundings.ts';
import { UsageError } from './errors.ts';
import { requireStore, storeDirectory, storeScheme } from './store.ts';
import { formatBytes, formatDuration, plural } from './units.ts';

export interface ExamineOptions {
  readonly repair: boolean;
  readonly compact: boolean;
  /** @param checked messages so far */
  readonly onProgress: (checked: number) => void;
}

/** Whether the rest of a URL is right, the driver says. */
const REDIS_SCHEME = /^rediss?(?:[-+]|$)/;
const POSTGRES_SCHEME = /^postgres(?:ql)?$/;
const BROKER_SCHEME = /^(?:https?|unix)$/;

interface Finding {
  readonly code: string;
  readonly message: string;
}

/** What a doctor found in a store of any kind. */
export interface Examination {
  /** All of it, for a program. */
  readonly report: object;
  /** Which store, how much is in it, what else is worth knowing. */
  readonly facts: readonly string[];
  readonly problems: readonly Finding[];
  readonly repaired: number;
  /** For people to change. */
  readonly warnings: readonly Finding[];
}

/** @throws UsageError for a store without a doctor @throws StoreNotFoundError, StorageError */
export function examine(storeUrl: string, options: ExamineOptions): Promise<Examination> {
  const directory = storeDirectory(storeUrl);
  if (directory !== null) return examineFolder(directory, options);
  const scheme = storeScheme(storeUrl) ?? '';
  if (options.compact) throw new UsageError(`--compact is for folders. ${howToCompact(scheme)}`);
  if (REDIS_SCHEME.test(scheme)) return examineRedis(storeUrl, options);
  if (POSTGRES_SCHEME.test(scheme)) return examinePostgres(storeUrl, options);
  if (BROKER_SCHEME.test(scheme)) {
    throw new UsageError(
      'doctor examines a store itself, not a broker on it. Give it the store that the broker has.',
    );
  }
  throw new UsageError(`doctor has nothing to check in '${storeUrl}'.`);
}

/** What gives room back where `--compact` does not. */
function howToCompact(scheme: string): string {
  if (REDIS_SCHEME.test(scheme)) {
    return 'A Redis server gives memory back by itself; BGREWRITEAOF makes its append-only file smaller.';
  }
  if (POSTGRES_SCHEME.test(scheme)) return "PostgreSQL's autovacuum gives room back by itself.";
  return 'Name a folder, or leave --compact out.';
}

async function examineFolder(directory: string, options: ExamineOptions): Promise<Examination> {
  requireStore(directory);
  const { doctor } = await import('../drivers/lmdb/doctor.ts');
  const report = await doctor(directory, options);
  const { path, format, queues, messages, problems, repaired, compacted } = report;
  const facts = [
    `Store ${path}, format ${format}: ${plural(queues, 'queue')}, ${plural(messages, 'message')}.`,
  ];
  if (compacted !== undefined) {
    const { before, after } = compacted;
    facts.push(`Compacted from ${formatBytes(before)} to ${formatBytes(after)}.`);
  }
  return { report, facts, problems, repaired, warnings: [] };
}

async function examinePostgres(url: string, options: ExamineOptions): Promise<Examination> {
  const doctor = await import('../drivers/postgres/doctor.ts');
  const { repair, onProgress } = options;
  const report = await doctor.examinePostgres({ url, repair, onProgress });
  const { schema, format, queues, messages, problems, repaired, warnings } = report;
  const bytes = report.tables.reduce((sum, table) => sum + table.bytes, 0);
  const facts = [
    `Schema ${schema}, migration ${format}: ${plural(queues, 'queue')}, ` +
      `${plural(messages, 'message')}, ${formatBytes(bytes)} in tables and indexes.`,
    `A round trip takes ${formatDuration(report.latency)}; the server's clock differs by ` +
      `${formatDuration(Math.abs(report.clockDifference))}.`,
  ];
  return { report, facts, problems, repaired, warnings };
}

/** What of the confirmed survives, by how the servers write it down. */
const SURVIVES = {
  none: 'A crash of the server loses what was confirmed since its last snapshot.',
  process:
    'What was confirmed survives a crash of the server; a power cut may lose the last second.',
  power: 'What was confirmed survives a power cut.',
} as const;

async function examineRedis(url: string, options: ExamineOptions): Promise<Examination> {
  const { repair, onProgress } = options;
  const doctor = await import('../drivers/redis/doctor.ts');
  const report = await doctor.examineRedis({ url, repair, onProgress });
  const { prefix, format, durability, queues, messages, places } = report;
  const { servers, problems, repaired, warnings } = report;
  const bytes = places.reduce((sum, { memory }) => sum + memory, 0);
  const underWay = places.reduce((sum, place) => sum + place.underWay, 0);
  const facts = [
    `Prefix ${prefix}, format ${format}: ${plural(queues, 'queue')}, ` +
      `${plural(messages, 'message')}, ${formatBytes(bytes)} of memory. ${SURVIVES[durability]}`,
    ...servers.map(describeServer),
    ...(underWay === 0
      ? []
      : [
          `${plural(underWay, 'move')} between slots under way; the sweeper finishes what was left.`,
        ]),
  ];
  return { report, facts, problems, repaired, warnings };
}

function describeServer(server: ExaminedServer): string {
  const { name, version, usedMemory, maxMemory, maxMemoryPolicy, replicas } = server;
  const most = maxMemory === 0 ? 'no maxmemory' : `maxmemory ${formatBytes(maxMemory)}`;
  return (
    `Server ${name}, version ${version}: ${formatBytes(usedMemory)} used, ${most}, ` +
    `${maxMemoryPolicy}, ${plural(replicas, 'replica')}. A round trip takes ` +
    `${server.latency.toFixed(1)} ms; its clock differs by ` +
    `${formatDuration(Math.abs(server.clockDifference))}.`
  );
}
