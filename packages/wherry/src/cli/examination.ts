import { UsageError } from './errors.ts';
import { requireStore, storeDirectory, storeScheme } from './store.ts';
import { formatBytes, formatDuration, plural } from './units.ts';

export interface ExamineOptions {
  readonly repair: boolean;
  readonly compact: boolean;
  /** @param checked messages so far */
  readonly onProgress: (checked: number) => void;
}

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
  if (options.compact) throw new UsageError('--compact is for stores in folders.');
  const scheme = storeScheme(storeUrl);
  if (scheme === 'postgres' || scheme === 'postgresql') return examinePostgres(storeUrl, options);
  throw new UsageError(`doctor has nothing to check in '${storeUrl}'.`);
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
